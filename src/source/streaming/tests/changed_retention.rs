//! Streams whose retention changes while they are read, or between runs.

use super::*;
use crate::error::ErrorKind;
use crate::kinesis::TrimmedPosition;

const HOUR: Duration = Duration::from_secs(3_600);

const DAY: Duration = Duration::from_secs(24 * 3_600);

const WEEK: Duration = Duration::from_secs(168 * 3_600);

const MODES: [TrimmedPosition; 2] = [TrimmedPosition::Resumes, TrimmedPosition::Pinned];

/// A stream with a retention of one week, read at one record per hour.
async fn slow_reader_of_a_week(mode: TrimmedPosition) -> Fixture {
    let options = InMemoryOptions {
        trimmed_positions: mode,
        ..InMemoryOptions::default()
    };
    let mut fixture = Fixture::with(1, options).await;
    let longer = fixture.kinesis.increase_retention(&fixture.stream, WEEK);
    longer.await.unwrap();
    fixture.retention = WEEK;
    fixture.settings.created_at = UnixMillis(0);
    fixture.options.records_per_fetch = 1;
    fixture.options.fetch_interval = HOUR;
    fixture.options.describe_shard_interval = HOUR;
    fixture
}

impl Fixture {
    async fn shorten(&self, retention: Duration) {
        let shorter = self.kinesis.decrease_retention(&self.stream, retention);
        shorter.await.unwrap();
    }

    async fn lengthen(&self, retention: Duration) {
        let longer = self.kinesis.increase_retention(&self.stream, retention);
        longer.await.unwrap();
    }
}

/// Puts records at this interval.
async fn put_each(fixture: &Fixture, every: Duration, count: usize) -> Vec<String> {
    let texts = numbers(count);
    for text in &texts {
        fixture.put(text).await;
        sleep(every).await;
    }
    texts
}

#[tokio::test(start_paused = true)]
async fn shortening_the_retention_behind_a_slow_query_is_a_loss() {
    for mode in MODES {
        for fails in [false, true] {
            let mut fixture = slow_reader_of_a_week(mode).await;
            fixture.options.fail_on_data_loss = fails;
            let texts = put_each(&fixture, HOUR, 60).await;
            let reader = fixture.read_all().await;
            assert_eq!(reader.rows(5).await, texts[..5]);
            fixture.shorten(DAY).await;
            if fails {
                let error = loop {
                    if let Err(error) = reader.readiness(Instant::now()) {
                        break error;
                    }
                    tokio::time::timeout(WEEK, reader.changed()).await.unwrap();
                };
                assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
                assert!(error.to_string().contains("stream is 24 hours"), "{error}");
                assert_eq!(reader.take().rows, 0, "nothing after the gap is read");
                continue;
            }
            let next = reader.next_rows().await;
            assert_ne!(next, texts[5..6], "{mode:?}");
            assert_eq!(reader.status().losses, 1, "{mode:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_shard_emptied_by_a_shorter_retention_is_a_loss() {
    for mode in MODES {
        let mut fixture = slow_reader_of_a_week(mode).await;
        fixture.options.fetch_interval = 40 * HOUR;
        let texts = put_each(&fixture, HOUR, 30).await;
        let reader = fixture.read_all().await;
        assert_eq!(reader.next_rows().await, texts[..1]);
        fixture.shorten(DAY).await;
        // All other records have expired when the next page comes. It takes several pages to be certain, and a
        // query that polls this rarely may lose more each time.
        sleep(40 * HOUR * 30).await;
        assert_eq!(reader.take().rows, 0);
        assert!(reader.status().losses >= 1, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_query_with_a_long_retention_loses_nothing_and_rarely_checks_it() {
    for mode in MODES {
        let mut fixture = slow_reader_of_a_week(mode).await;
        fixture.options.fail_on_data_loss = true;
        fixture.options.records_per_fetch = 7;
        fixture.options.fetch_interval = Duration::from_millis(200);
        // Many records, none for more than a day, and many records again.
        let mut texts = put_each(&fixture, Duration::from_secs(60), 600).await;
        sleep(30 * HOUR).await;
        texts.extend(put_each(&fixture, Duration::from_secs(60), 600).await);
        sleep(30 * HOUR).await;
        let reader = fixture.read_all().await;
        let calls = || fixture.kinesis.calls(Operation::DescribeStreamSummary);
        let (before, began) = (calls(), Instant::now());
        assert_eq!(reader.rows(texts.len()).await, texts, "{mode:?}");
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{:?}",
            began.elapsed()
        );
        let calls = calls() - before;
        assert!((1..60).contains(&calls), "{calls}");
        assert_eq!(reader.status().losses, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_retention_does_not_hide_records_expired_under_a_shorter_one() {
    for (noted, losses) in [(Some(DAY), 1), (None, 0), (Some(WEEK), 0)] {
        let mut fixture = Fixture::with_shards(1).await;
        fixture.settings.created_at = UnixMillis(0);
        fixture.put("k 1").await;
        let reader = fixture.read_all().await;
        assert_eq!(reader.rows(1).await, ["k 1"]);
        let planned = reader.take().ranges;
        assert_eq!(planned.retention, Some(DAY));
        drop(reader);
        sleep(HOUR).await;
        fixture.put("k 2").await;
        sleep(DAY + HOUR).await;
        fixture.lengthen(WEEK).await;
        fixture.retention = WEEK;
        fixture.put("k 3").await;
        let from = StreamStart::Resume {
            offsets: planned.ends(),
            read_to: planned.read_to,
            retention: noted,
        };
        let reader = fixture.read(from).await;
        assert_eq!(reader.next_rows().await, ["k 3"]);
        assert_eq!(reader.status().losses, losses, "{noted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_within_the_original_retention_is_a_loss_under_a_shorter_one() {
    for (noted, losses) in [(Some(WEEK), 1), (Some(DAY), 0), (None, 0)] {
        let mut fixture = slow_reader_of_a_week(TrimmedPosition::Resumes).await;
        put_each(&fixture, HOUR, 60).await;
        fixture.shorten(DAY).await;
        fixture.retention = DAY;
        let created_at = fixture.now();
        let from = StreamStart::Initial {
            start: InitialPositions {
                shards: Offsets::new(),
                others: ShardPosition::AtTimestamp(created_at.minus(48 * HOUR)),
            },
            created_at,
            retention: noted,
        };
        let reader = fixture.read(from).await;
        assert_eq!(reader.next_rows().await.len(), 1);
        assert_eq!(reader.status().losses, losses, "{noted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_query_notices_a_longer_retention() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.fetch_interval = Duration::from_secs(60);
    let reader = fixture.read_all().await;
    assert_eq!(reader.retention(), DAY);
    fixture.lengthen(WEEK).await;
    sleep(HOUR).await;
    assert_eq!(reader.retention(), WEEK);
    assert_eq!(reader.take().ranges.retention, Some(WEEK));
    fixture.shorten(48 * HOUR).await;
    sleep(HOUR).await;
    assert_eq!(reader.retention(), 48 * HOUR);
}

#[tokio::test(start_paused = true)]
async fn a_failed_retention_check_delays_its_shard_and_decides_nothing() {
    let fixture = slow_reader_of_a_week(TrimmedPosition::Resumes).await;
    let texts = put_each(&fixture, HOUR, 60).await;
    let reader = fixture.read_all().await;
    assert_eq!(reader.rows(5).await, texts[..5]);
    fixture.shorten(DAY).await;
    for _ in 0..20 {
        let code = "InternalFailure";
        let error = crate::kinesis::ApiError::from_code(Operation::DescribeStreamSummary, code, "");
        let operation = Operation::DescribeStreamSummary;
        fixture.kinesis.fail_next(operation, error);
    }
    assert_ne!(reader.next_rows().await, texts[5..6]);
    assert_eq!(reader.status().losses, 1);
    assert!(reader.status().retries >= 1);
}
