//! Reads that end at an arrival time.

use std::time::Duration;

use super::*;
use crate::kinesis::{RecordsPage, RecordsPageBuilder};
use crate::model::SequenceNumber;
use crate::source::test_service::TestService;

const HOUR: Duration = Duration::from_secs(3_600);

/// A shard with one record per minute for ten hours, read in pages of ten records.
async fn ten_hours() -> Fixture {
    let fixture = Fixture::with_records(0, 0, Shape::plain().pages_of(10)).await;
    for minute in 0..600 {
        fixture.put(minute.to_string().into_bytes()).await;
        tokio::time::sleep(HOUR / 60).await;
    }
    fixture
}

fn arrived(fixture: &Fixture, by: UnixMillis) -> ShardRead {
    let tip = fixture.context.clock.now();
    fixture::read(ShardPosition::TrimHorizon, Until::Arrived { tip, by })
}

#[tokio::test(start_paused = true)]
async fn no_page_is_requested_after_a_record_that_arrived_too_late() {
    let fixture = ten_hours().await;
    for (minutes, rows, calls) in [(95, 100, 10), (0, 10, 1), (99, 110, 11), (599, 600, 61)] {
        let by = fixture::EPOCH.plus(HOUR / 60 * minutes);
        let before = fixture.kinesis.calls(Operation::GetRecords);
        let read = fixture.rows(arrived(&fixture, by)).await.unwrap();
        let asked = fixture.kinesis.calls(Operation::GetRecords) - before;
        // The last minute ends with the tip.
        assert_eq!((read.len(), asked), (rows, calls), "{minutes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_without_late_records_ends_when_its_coverage_passes_the_time() {
    let fixture = ten_hours().await;
    tokio::time::sleep(10 * HOUR).await;
    fixture.put(b"late".to_vec()).await;
    tokio::time::sleep(HOUR).await;
    let by = fixture::EPOCH.plus(HOUR * 15);
    let read = arrived(&fixture, by);
    let before = fixture.calls();
    let rows = fixture.rows(read).await.unwrap();
    assert!((600..=601).contains(&rows.len()), "{}", rows.len());
    assert!(fixture.calls() - before <= 63);
    let start = ShardPosition::AtTimestamp(by.plus(HOUR));
    let nothing = fixture::read(start, arrived(&fixture, by).until);
    let before = fixture.calls();
    assert_eq!(fixture.rows(nothing).await.unwrap(), Vec::<String>::new());
    assert_eq!(fixture.calls(), before);
}

/// Moves the arrival time of every other record four minutes back.
fn disordered(page: &mut RecordsPage) {
    let columns = RecordColumns::ALL;
    let mut builder = RecordsPageBuilder::with_capacity(columns, page.len(), 0);
    let numbers = page
        .sequence_number()
        .expect("the test requests all columns");
    let keys = page.partition_key().expect("the test requests all columns");
    let times = page.arrival().expect("the test requests all columns");
    for record in 0..page.len() {
        let time = UnixMillis(times.value(record) / 1_000);
        let early = if record % 2 == 1 { 4 } else { 0 };
        builder.push(
            page.data().value(record),
            Some(keys.value(record)),
            numbers.value(record),
            Some(time.minus(HOUR / 60 * early)),
        );
    }
    let last = numbers.iter().flatten().next_back();
    let last = last.and_then(|digits| SequenceNumber::new(digits).ok());
    let children = page.children.clone();
    *page = builder.finish(last, page.next.clone(), page.behind_latest, children);
}

#[tokio::test(start_paused = true)]
async fn arrival_times_out_of_order_within_the_margin_drop_no_row() {
    let mut fixture = ten_hours().await;
    fixture.context.kinesis = Arc::new(TestService {
        alter_page: disordered,
        ..TestService::over(&fixture.kinesis)
    });
    let margin = HOUR / 60 * 5;
    for minutes in (0..600).step_by(7) {
        let wanted = fixture::EPOCH.plus(HOUR / 60 * minutes);
        let read = arrived(&fixture, wanted.plus(margin));
        let rows = fixture.rows(read).await.unwrap();
        let expected = (0..600_u32).filter(|minute| {
            // In each page of ten the odd records are four minutes early.
            let early = if minute % 2 == 1 { 4 } else { 0 };
            *minute <= minutes + early
        });
        let expected = expected.max().unwrap_or_default();
        assert!(
            rows.len() as u32 > expected,
            "{minutes}: {} rows",
            rows.len()
        );
    }
}
