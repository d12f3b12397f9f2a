//! Reads of a stream while its retention is shortened.

use std::time::Duration;

use super::*;
use crate::kinesis::TrimmedPosition;
use crate::source::StreamRetention;

const HOUR: Duration = Duration::from_secs(3_600);

const WEEK: Duration = Duration::from_secs(168 * 3_600);

const MODES: [TrimmedPosition; 2] = [TrimmedPosition::Resumes, TrimmedPosition::Pinned];

/// A shard with a retention of one week, and one record per hour for the last 60 hours.
async fn week(mode: TrimmedPosition, shape: Shape) -> Fixture {
    let mut fixture = Fixture::with_trimmed_positions(mode, shape).await;
    let longer = fixture.kinesis.increase_retention(&fixture.stream, WEEK);
    longer.await.unwrap();
    fixture.context.retention = Arc::new(StreamRetention::new(WEEK));
    for hour in 0..60 {
        fixture.put(hour.to_string().into_bytes()).await;
        tokio::time::sleep(HOUR).await;
    }
    fixture
}

async fn shorten(fixture: &Fixture) {
    let shorter = fixture
        .kinesis
        .decrease_retention(&fixture.stream, 24 * HOUR);
    shorter.await.unwrap();
}

fn slow_shape() -> Shape {
    let mut shape = Shape::plain().pages_of(1);
    shape.options.fetch_interval = HOUR;
    shape
}

#[tokio::test(start_paused = true)]
async fn shortening_the_retention_during_a_read_to_the_tip_is_a_loss() {
    for mode in MODES {
        let fixture = week(mode, slow_shape()).await;
        let now = fixture.context.clock.now();
        let read = fixture::read(ShardPosition::TrimHorizon, Until::Tip(now));
        let (rows, ()) = tokio::join!(fixture.rows(read), async {
            tokio::time::sleep(HOUR * 5 + HOUR / 2).await;
            shorten(&fixture).await;
        });
        let error = rows.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
        assert!(
            error
                .to_string()
                .contains("retention of the stream is 24 hours"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_whose_rows_expired_under_a_shorter_retention_fails() {
    for mode in MODES {
        let fixture = week(mode, Shape::plain()).await;
        let rows = fixture.all_rows().await;
        shorten(&fixture).await;
        let read = fixture::read(rows[4].position(), Until::Position(rows[10].position()));
        let read = tokio::time::timeout(HOUR, fixture.rows(read)).await;
        let error = read.expect("the read ends").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
    }
}
