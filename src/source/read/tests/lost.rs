//! Ranges whose rows have expired.

use std::time::Duration;

use super::*;
use crate::kinesis::{ApiError, Kinesis, TrimmedPosition};
use crate::model::{SequenceNumber, StreamName};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The error message of a range that cannot be read completely.
async fn loss(fixture: &Fixture, start: ShardPosition, upto: ShardPosition) -> String {
    let range = format!("from {start} to {upto}");
    let error = fixture.rows(fixture::read(start, at(upto))).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
    let message = error.to_string();
    for part in ["'words'", "'shardId-000000000000'", &range] {
        assert!(message.contains(part), "{part} in {message}");
    }
    message
}

/// A sequence number after all existing ones.
fn above(position: &ShardPosition) -> ShardPosition {
    let ShardPosition::After { sequence, .. } = position else {
        panic!("{position} is not after a record");
    };
    ShardPosition::After {
        sequence: SequenceNumber::new(&format!("{sequence}0")).unwrap(),
        sub_sequence: None,
    }
}

async fn recreate_stream(fixture: &Fixture) {
    fixture
        .kinesis
        .delete_stream(&fixture.stream)
        .await
        .unwrap();
    let name = StreamName::new("words").unwrap();
    fixture.kinesis.create_stream(&name, 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_expired_record_is_a_loss() {
    let fixture = Fixture::with_records(0, 5, Shape::plain()).await;
    let last = fixture.last_position().await;
    tokio::time::advance(DAY * 2).await;
    fixture.put(b"young".to_vec()).await;
    let young = fixture.all_rows().await.remove(0);
    let message = loss(&fixture, ShardPosition::TrimHorizon, last).await;
    assert!(message.contains(young.sequence.as_str()), "{message}");
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_expired_record_is_a_loss() {
    let (fixture, rows) = one_aggregate(Shape::default()).await;
    tokio::time::advance(DAY * 2).await;
    fixture.put(b"young".to_vec()).await;
    let upto = fixture.last_position().await;
    let message = loss(&fixture, rows[0].position(), upto).await;
    assert!(
        message.contains("the record it starts in is gone"),
        "{message}"
    );
}

/// A shard with one record of several rows.
async fn one_aggregate(shape: Shape) -> (Fixture, Vec<Row>) {
    for seed in 0..100 {
        let fixture = Fixture::with_records(seed, 1, shape.clone()).await;
        let rows = fixture.all_rows().await;
        if rows.len() > 1 {
            return (fixture, rows);
        }
    }
    panic!("no seed gives an aggregate");
}

#[tokio::test(start_paused = true)]
async fn a_missing_record_is_a_loss_at_the_tip_and_at_the_shard_end() {
    let fixture = Fixture::with_records(0, 5, Shape::default().pages_of(2)).await;
    let upto = above(&fixture.last_position().await);
    let message = loss(&fixture, ShardPosition::TrimHorizon, upto.clone()).await;
    assert!(message.contains("the open shard holds no"), "{message}");
    let end = ShardPosition::ShardEnd;
    let message = loss(&fixture, ShardPosition::TrimHorizon, end).await;
    assert!(message.contains("the open shard holds no"), "{message}");
    fixture.close().await;
    let message = loss(&fixture, ShardPosition::TrimHorizon, upto).await;
    assert!(message.contains("the shard ends before"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_expired_shard_is_a_loss() {
    let fixture = Fixture::with_records(0, 5, Shape::default()).await;
    fixture.close().await;
    tokio::time::advance(DAY * 2).await;
    let end = ShardPosition::ShardEnd;
    let message = loss(&fixture, ShardPosition::TrimHorizon, end).await;
    assert!(message.contains("ResourceNotFoundException"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn records_of_a_recreated_stream_are_a_loss() {
    let fixture = Fixture::with_records(0, 5, Shape::plain()).await;
    let rows = fixture.all_rows().await;
    let (first, last) = (rows[0].position(), rows[4].position());
    recreate_stream(&fixture).await;
    let start = ShardPosition::TrimHorizon;
    let message = loss(&fixture, start.clone(), last.clone()).await;
    assert!(message.contains("the open shard holds no"), "{message}");
    let message = loss(&fixture, first, last.clone()).await;
    assert!(message.contains("GetShardIterator failed"), "{message}");
    fixture.put(b"new".to_vec()).await;
    let new = fixture.all_rows().await.remove(0);
    let message = loss(&fixture, start, last).await;
    assert!(message.contains(new.sequence.as_str()), "{message}");
}

#[tokio::test(start_paused = true)]
async fn without_fail_on_data_loss_the_remaining_rows_are_read() {
    let (fixture, old) = one_aggregate(Shape::default().ignoring_loss()).await;
    tokio::time::advance(DAY * 2).await;
    fixture.put(b"young".to_vec()).await;
    fixture.put(b"younger".to_vec()).await;
    let rows = fixture.all_rows().await;
    let rest = |start, upto| fixture.remaining_rows(fixture::read(start, at(upto)));
    let beginning_gone = rest(old[0].position(), rows[0].position()).await;
    assert_eq!(beginning_gone, (texts(&rows[..1]), 1));
    let all_gone = rest(ShardPosition::TrimHorizon, old[0].position()).await;
    assert_eq!(all_gone, (vec![], 1));
    let end_gone = rest(rows[0].position(), above(&rows[1].position())).await;
    assert_eq!(end_gone, (texts(&rows[1..]), 1));
    let nothing_gone = rest(rows[0].position(), rows[1].position()).await;
    assert_eq!(nothing_gone, (texts(&rows[1..]), 0));
    recreate_stream(&fixture).await;
    let stream_gone = rest(rows[0].position(), rows[1].position()).await;
    assert_eq!(stream_gone, (vec![], 1));
}

#[tokio::test(start_paused = true)]
async fn access_denied_is_not_a_loss() {
    let fixture = Fixture::with_records(0, 2, Shape::plain().ignoring_loss()).await;
    let upto = fixture.last_position().await;
    let error = ApiError::from_code(Operation::GetRecords, "AccessDeniedException", "no");
    fixture.kinesis.fail_next(Operation::GetRecords, error);
    let read = fixture::read(ShardPosition::TrimHorizon, at(upto));
    let error = fixture.rows(read).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
}

/// A shard with one record per hour for ten hours, and its rows.
async fn hourly(mode: TrimmedPosition, shape: Shape) -> (Fixture, Vec<Row>) {
    let fixture = Fixture::with_trimmed_positions(mode, shape).await;
    for hour in 0..10 {
        fixture.put(format!("{hour}").into_bytes()).await;
        tokio::time::advance(DAY / 24).await;
    }
    let rows = fixture.all_rows().await;
    (fixture, rows)
}

/// The range of all rows after the first one.
fn all_after_the_first(rows: &[Row]) -> ShardRead {
    let upto = at(rows.last().unwrap().position());
    ShardRead {
        rows: Some(rows.len() as u64 - 1),
        ..fixture::read(rows[0].position(), upto)
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_with_fewer_rows_than_planned_is_a_loss() {
    for mode in [TrimmedPosition::Resumes, TrimmedPosition::Pinned] {
        let (fixture, rows) = hourly(mode, Shape::plain().pages_of(2)).await;
        let read = all_after_the_first(&rows);
        assert_eq!(fixture.rows(read.clone()).await.unwrap(), texts(&rows[1..]));
        // The record before the range has expired, and its position leads nowhere.
        tokio::time::advance(DAY - DAY * 10 / 24).await;
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(
            fixture.rows(read.clone()).await.unwrap(),
            texts(&rows[1..]),
            "{mode:?}"
        );
        tokio::time::advance(DAY * 3 / 24).await;
        let error = fixture.rows(read.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataLoss);
        let message = error.to_string();
        assert!(message.contains(": 3 of its 9 rows are gone"), "{message}");

        let (fixture, rows) = hourly(mode, Shape::plain().ignoring_loss()).await;
        tokio::time::advance(DAY - DAY * 6 / 24).await;
        let rest = fixture.remaining_rows(all_after_the_first(&rows)).await;
        assert_eq!(rest.1, 1);
        assert!(
            !rest.0.is_empty() && texts(&rows[1..]).ends_with(&rest.0),
            "{rest:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_without_rows_sends_no_request() {
    let fixture = Fixture::with_records(0, 1, Shape::plain()).await;
    let calls = fixture.calls();
    let read = ShardRead {
        rows: Some(0),
        ..fixture::read(ShardPosition::TrimHorizon, at(ShardPosition::ShardEnd))
    };
    assert_eq!(fixture.rows(read).await.unwrap(), [""; 0]);
    assert_eq!(fixture.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_read_to_the_tip_from_an_expired_position_is_a_loss() {
    for mode in [TrimmedPosition::Resumes, TrimmedPosition::Pinned] {
        let (mut fixture, rows) = hourly(mode, Shape::plain()).await;
        tokio::time::advance(DAY - DAY * 5 / 24).await;
        let read = fixture::read(rows[0].position(), tip(&fixture));
        let error = fixture.rows(read.clone()).await.unwrap_err();
        let message = error.to_string();
        assert_eq!(error.kind(), ErrorKind::DataLoss, "{message}");
        let location = format!(
            "'words', shard 'shardId-000000000000', position {}",
            rows[0].position()
        );
        assert!(message.contains(&location), "{message}");
        fixture.context.options.fail_on_data_loss = false;
        let (rest, losses) = fixture.remaining_rows(read).await;
        assert_eq!(losses, 1, "{mode:?}");
        assert!(
            !rest.is_empty() && texts(&rows).ends_with(&rest),
            "{rest:?}"
        );
        // An existing position and the oldest record lose nothing.
        let there = rows[rows.len() - 2].position();
        for start in [there, ShardPosition::TrimHorizon] {
            let (_, losses) = fixture
                .remaining_rows(fixture::read(start, tip(&fixture)))
                .await;
            assert_eq!(losses, 0);
        }
    }
}

fn tip(fixture: &Fixture) -> Until {
    Until::Tip(fixture.context.clock.now())
}
