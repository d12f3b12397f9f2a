//! Records that expire before they are read.

use super::*;
use crate::error::{Error, ErrorKind};
use crate::kinesis::TrimmedPosition;

const HOUR: Duration = Duration::from_secs(3_600);

/// The retention of the simulator.
const DAY: Duration = Duration::from_secs(24 * 3_600);

const MODES: [TrimmedPosition; 2] = [TrimmedPosition::Resumes, TrimmedPosition::Pinned];

/// An old stream whose expired positions behave in this way.
async fn fixture(mode: TrimmedPosition) -> Fixture {
    let options = InMemoryOptions {
        trimmed_positions: mode,
        ..InMemoryOptions::default()
    };
    let mut fixture = Fixture::with(1, options).await;
    fixture.settings.created_at = UnixMillis(0);
    fixture.options.fetch_interval = Duration::from_secs(10);
    fixture.options.describe_shard_interval = Duration::from_secs(600);
    fixture
}

fn resume_at_time(offsets: Offsets, read_to: UnixMillis) -> StreamStart {
    StreamStart::Resume {
        offsets,
        read_to: Some(read_to),
        retention: None,
    }
}

/// Reads all rows, and returns the end.
async fn read_once(fixture: &Fixture, rows: usize) -> Offsets {
    let reader = fixture.read_all().await;
    assert_eq!(reader.rows(rows).await.len(), rows);
    reader.take().ranges.ends()
}

/// The error that ends the query.
async fn failure(reader: &StreamReader) -> Error {
    loop {
        if let Err(error) = reader.readiness(Instant::now()) {
            return error;
        }
        tokio::time::timeout(HOUR, reader.changed()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_expired_between_runs_are_counted_as_a_loss() {
    for mode in MODES {
        let fixture = fixture(mode).await;
        fixture.put("k 1").await;
        let (ends, read_to) = (read_once(&fixture, 1).await, fixture.now());
        sleep(HOUR).await;
        fixture.put("k 2").await;
        sleep(DAY + HOUR).await;
        fixture.put("k 3").await;
        let reader = fixture.read(resume_at_time(ends, read_to)).await;
        assert_eq!(reader.next_rows().await, ["k 3"], "{mode:?}");
        assert_eq!(reader.status().losses, 1, "{mode:?}");
        fixture.put("k 4").await;
        assert_eq!(reader.next_rows().await, ["k 4"], "{mode:?}");
        assert_eq!(reader.status().losses, 1, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn expired_records_end_the_query_with_fail_on_data_loss() {
    for mode in MODES {
        let mut fixture = fixture(mode).await;
        fixture.options.fail_on_data_loss = true;
        fixture.put("k 1").await;
        let (ends, read_to) = (read_once(&fixture, 1).await, fixture.now());
        sleep(DAY + HOUR).await;
        let arrived = fixture.now();
        fixture.put("k 3").await;
        let reader = fixture.read(resume_at_time(ends.clone(), read_to)).await;
        let error = failure(&reader).await;
        assert_eq!(error.kind(), ErrorKind::DataLoss);
        let message = error.to_string();
        let place = format!(
            "stream 'words', shard 'shardId-000000000000', position {}: ",
            ends[&shard(0)]
        );
        assert!(message.starts_with(&place), "{message}");
        let read = format!("all records that arrived by {read_to} were read");
        let oldest = format!("which arrived at {arrived}");
        for part in [&read, &oldest, "24 hours", "'kinesis.failOnDataLoss'"] {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert_eq!(reader.take().ranges.ends(), ends);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_has_not_expired_proves_that_nothing_is_lost() {
    for mode in MODES {
        let fixture = fixture(mode).await;
        fixture.put("k 1").await;
        let ends = read_once(&fixture, 1).await;
        fixture.put("k 2").await;
        // The time is not known, or it was long ago by a wrong clock.
        for from in [
            resume_at(ends.clone()),
            resume_at_time(ends, UnixMillis(START.0 - 1_000 * 3_600_000)),
        ] {
            let reader = fixture.read(from).await;
            assert_eq!(reader.next_rows().await, ["k 2"]);
            assert_eq!(reader.status().losses, 0);
            drop(reader);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_shard_whose_last_record_expired_has_lost_nothing() {
    for mode in MODES {
        let mut fixture = fixture(mode).await;
        fixture.options.fail_on_data_loss = true;
        fixture.put("k 1").await;
        let reader = fixture.read_all().await;
        reader.rows(1).await;
        sleep(3 * DAY).await;
        let (ends, read_to) = (reader.take().ranges.ends(), fixture.now());
        drop(reader);
        sleep(DAY - HOUR).await;
        let reader = fixture.read(resume_at_time(ends, read_to)).await;
        sleep(HOUR).await;
        fixture.put("k 2").await;
        assert_eq!(reader.next_rows().await, ["k 2"], "{mode:?}");
        assert_eq!(reader.status().losses, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_shard_has_lost_records_only_if_they_were_unread() {
    for mode in MODES {
        let fixture = fixture(mode).await;
        fixture.put("k 1").await;
        let (ends, read_to) = (read_once(&fixture, 1).await, fixture.now());
        for (hours, losses) in [(12, 0), (11, 0), (2, 1)] {
            sleep(HOUR * hours).await;
            let reader = fixture.read(resume_at_time(ends.clone(), read_to)).await;
            sleep(Duration::from_secs(120)).await;
            assert_eq!(reader.status().losses, losses, "{mode:?} {hours}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_slower_than_retention_reports_each_loss() {
    for mode in MODES {
        let mut fixture = fixture(mode).await;
        fixture.options.records_per_fetch = 1;
        fixture.options.fetch_interval = 10 * HOUR;
        for number in 0..20 {
            fixture.put(&format!("k {number}")).await;
            sleep(HOUR).await;
        }
        let reader = fixture.read_all().await;
        let mut rows = Vec::new();
        while let Ok(more) = tokio::time::timeout(20 * DAY, reader.next_rows()).await {
            rows.extend(more);
        }
        // It reads one record every ten hours, and one arrives every hour.
        let losses = reader.status().losses;
        assert!((1..20).contains(&rows.len()), "{rows:?}");
        assert!(
            losses > 0 && losses <= rows.len() as u64,
            "{losses} {rows:?}"
        );
        let mut sorted = rows.clone();
        sorted.dedup();
        assert_eq!(rows, sorted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_query_ahead_of_retention_loses_and_repeats_nothing() {
    for mode in MODES {
        let mut fixture = fixture(mode).await;
        fixture.options.fail_on_data_loss = true;
        fixture.options.records_per_fetch = 2;
        fixture.options.fetch_interval = Duration::from_secs(1);
        // All of them are within a minute of the horizon.
        let texts = numbers(20);
        for text in &texts {
            fixture.put(text).await;
            sleep(Duration::from_millis(600)).await;
        }
        sleep(DAY - Duration::from_secs(20)).await;
        fixture
            .kinesis
            .set_faults(crate::kinesis::FaultPlan::default());
        let reader = fixture.read_all().await;
        assert_eq!(reader.rows(texts.len()).await, texts, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_time_within_retention_when_requested_can_be_lost() {
    for (age, losses) in [(1, 1), (23, 1), (24, 0), (30, 0)] {
        let fixture = fixture(TrimmedPosition::Resumes).await;
        fixture.put("k 1").await;
        let time = UnixMillis(START.0 - age * 3_600_000);
        let from = initial_at(ShardPosition::AtTimestamp(time));
        sleep(DAY + HOUR).await;
        fixture.put("k 2").await;
        let reader = fixture.read(from).await;
        assert_eq!(reader.next_rows().await, ["k 2"]);
        assert_eq!(reader.status().losses, losses, "{age}");
    }
}

#[tokio::test(start_paused = true)]
async fn trim_horizon_loses_nothing_when_requested_but_may_when_resumed() {
    let mut fixture = fixture(TrimmedPosition::Resumes).await;
    fixture.put("k 1").await;
    sleep(DAY + HOUR).await;
    fixture.put("k 2").await;
    let reader = fixture.read_all().await;
    assert_eq!(reader.next_rows().await, ["k 2"]);
    assert_eq!(reader.status().losses, 0);
    let never_read = || Offsets::from([(shard(0), ShardPosition::TrimHorizon)]);
    let reader = fixture.read(resume_at(never_read())).await;
    assert_eq!(reader.next_rows().await, ["k 2"]);
    assert_eq!(reader.status().losses, 1);
    // A stream younger than its retention has lost nothing.
    fixture.settings.created_at = UnixMillis(fixture.now().0 - 3_600_000);
    let reader = fixture.read(resume_at(never_read())).await;
    assert_eq!(reader.next_rows().await, ["k 2"]);
    assert_eq!(reader.status().losses, 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_has_lost_records_once_its_parent_is_no_longer_listed() {
    for (down, losses) in [(23 * HOUR, 0), (DAY + HOUR, 3)] {
        let fixture = fixture(TrimmedPosition::Resumes).await;
        fixture.put("k 1").await;
        let (ends, read_to) = (read_once(&fixture, 1).await, fixture.now());
        fixture.split_the_only_shard().await;
        fixture.put("k 2").await;
        sleep(down).await;
        fixture.put("k 3").await;
        let reader = fixture.read(resume_at_time(ends, read_to)).await;
        let rows = reader.rows(if losses == 0 { 2 } else { 1 }).await;
        assert_eq!(rows.last().unwrap(), "k 3");
        sleep(HOUR).await;
        // The parent, and both children that the next listing finds.
        assert_eq!(reader.status().losses, losses);
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_has_lost_nothing_while_its_parents_are_listed() {
    let mut fixture = fixture(TrimmedPosition::Resumes).await;
    fixture.options.fail_on_data_loss = true;
    fixture.options.records_per_fetch = 10;
    fixture.options.fetch_interval = HOUR;
    for text in numbers(100) {
        fixture.put(&text).await;
    }
    sleep(3 * HOUR).await;
    fixture.split_the_only_shard().await;
    fixture.put("k last").await;
    let reader = fixture.read_all().await;
    assert_eq!(reader.rows(101).await.last().unwrap(), "k last");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_starts_after_its_first_record_expired_has_lost_it() {
    for (seconds, losses) in [(10, 0), (60, 2)] {
        let mut fixture = fixture(TrimmedPosition::Resumes).await;
        fixture.options.fail_on_data_loss = losses == 0;
        fixture.options.describe_shard_interval = Duration::from_secs(1);
        fixture.put("k 1").await;
        let (ends, read_to) = (read_once(&fixture, 1).await, fixture.now());
        fixture.put("k parent").await;
        fixture.split_the_only_shard().await;
        fixture.put("k 2").await;
        sleep(DAY - Duration::from_secs(30)).await;
        let reader = fixture.read(resume_at_time(ends, read_to)).await;
        // The parent is listed now, but no longer when its children start.
        sleep(Duration::from_secs(seconds)).await;
        assert_eq!(reader.rows(1).await, ["k parent"]);
        fixture.put("k 3").await;
        let expected: &[_] = if losses == 0 {
            &["k 2", "k 3"]
        } else {
            &["k 3"]
        };
        assert_eq!(reader.rows(expected.len()).await, expected);
        sleep(HOUR).await;
        assert_eq!(reader.status().losses, losses, "the children");
    }
}

/// The read history of the parents shows that the children are new.
#[tokio::test(start_paused = true)]
async fn children_of_a_shard_read_to_its_tip_need_no_listing() {
    let fixture = fixture(TrimmedPosition::Resumes).await;
    let reader = fixture.read_all().await;
    sleep(2 * DAY).await;
    fixture.put("k 1").await;
    assert_eq!(reader.rows(1).await, ["k 1"]);
    fixture.split_the_only_shard().await;
    fixture.put("k 2").await;
    let rows = tokio::time::timeout(Duration::from_secs(60), reader.rows(1)).await;
    assert_eq!(rows.unwrap(), ["k 2"]);
    assert_eq!(reader.status().losses, 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_to_a_frozen_tip_reports_losses() {
    for mode in MODES {
        let mut fixture = fixture(mode).await;
        fixture.put("k 1").await;
        let (ends, read_to) = (read_once(&fixture, 1).await, fixture.now());
        sleep(DAY + HOUR).await;
        fixture.settings.until = Some(fixture.now());
        let reader = fixture.read(resume_at_time(ends, read_to)).await;
        while !reader.is_exhausted() {
            assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
            tokio::time::timeout(HOUR, reader.changed()).await.unwrap();
        }
        assert_eq!(reader.status().losses, 1, "{mode:?}");
    }
}

/// Deletes the stream, and creates it again with this many shards.
async fn recreate(fixture: &Fixture, shards: u32) {
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    kinesis.delete_stream(stream).await.unwrap();
    sleep(Duration::from_millis(1_500)).await;
    let name = stream.name();
    kinesis.create_stream(name, shards).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_recreated_stream_ends_the_readers_whatever_the_options() {
    for put in [0, 1] {
        let mut fixture = Fixture::with_shards(1).await;
        // The readers do not notice the time without a stream.
        fixture.options.describe_shard_interval = Duration::from_secs(2);
        for text in numbers(put) {
            fixture.put(&text).await;
        }
        let reader = fixture.read_all().await;
        if put > 0 {
            reader.rows(put).await;
        }
        sleep(Duration::from_millis(100)).await;
        recreate(&fixture, 1).await;
        fixture.put("k new").await;
        let error = failure(&reader).await;
        assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
        assert!(
            error.to_string().contains("deleted and recreated"),
            "{error}"
        );
        assert!(reader.is_stream_recreated());
        // Nothing of the new stream was read.
        assert_eq!(reader.take().rows, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permanently_rejected_sequence_number_ends_the_query_with_the_reason() {
    let fixture = Fixture::with_shards(1).await;
    let foreign = ShardPosition::After {
        sequence: SequenceNumber::new("7").unwrap(),
        sub_sequence: None,
    };
    let offsets = Offsets::from([(shard(0), foreign)]);
    let reader = fixture.read(resume_at(offsets)).await;
    let listings = fixture.kinesis.calls(Operation::ListShards);
    let error = failure(&reader).await;
    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
    assert!(!reader.is_stream_recreated());
    assert_eq!(fixture.kinesis.calls(Operation::ListShards), listings + 1);
}
