//! Ranges whose rows are gone.

use std::time::Duration;

use super::*;
use crate::kinesis::{ApiError, Kinesis};
use crate::model::{SequenceNumber, StreamName};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The message of a range that cannot be read whole.
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

/// A number behind all there are.
fn above(position: &ShardPosition) -> ShardPosition {
    let ShardPosition::After { sequence, .. } = position else {
        panic!("{position} is behind no record");
    };
    ShardPosition::After {
        sequence: SequenceNumber::new(&format!("{sequence}0")).unwrap(),
        sub_sequence: None,
    }
}

async fn make_anew(fixture: &Fixture) {
    fixture
        .kinesis
        .delete_stream(&fixture.stream)
        .await
        .unwrap();
    let name = StreamName::new("words").unwrap();
    fixture.kinesis.create_stream(&name, 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_record_past_its_retention_is_missed() {
    let fixture = Fixture::with_records(0, 5, Shape::plain()).await;
    let last = fixture.last_place().await;
    tokio::time::advance(DAY * 2).await;
    fixture.put(b"young".to_vec()).await;
    let young = fixture.all_rows().await.remove(0);
    let message = loss(&fixture, ShardPosition::TrimHorizon, last).await;
    assert!(message.contains(young.sequence.as_str()), "{message}");
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_record_past_its_retention_is_missed() {
    let (fixture, rows) = one_aggregate(Shape::default()).await;
    tokio::time::advance(DAY * 2).await;
    fixture.put(b"young".to_vec()).await;
    let upto = fixture.last_place().await;
    let message = loss(&fixture, rows[0].place(), upto).await;
    assert!(
        message.contains("the record it starts in is gone"),
        "{message}"
    );
}

/// A shard that holds one record of several rows.
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
async fn a_record_the_shard_never_had_is_missed_at_its_tip_and_at_its_end() {
    let fixture = Fixture::with_records(0, 5, Shape::default().pages_of(2)).await;
    let upto = above(&fixture.last_place().await);
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
async fn a_shard_that_is_not_there_any_more_is_missed() {
    let fixture = Fixture::with_records(0, 5, Shape::default()).await;
    fixture.close().await;
    tokio::time::advance(DAY * 2).await;
    let end = ShardPosition::ShardEnd;
    let message = loss(&fixture, ShardPosition::TrimHorizon, end).await;
    assert!(message.contains("ResourceNotFoundException"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn records_of_a_stream_that_was_made_anew_are_missed() {
    let fixture = Fixture::with_records(0, 5, Shape::plain()).await;
    let rows = fixture.all_rows().await;
    let (first, last) = (rows[0].place(), rows[4].place());
    make_anew(&fixture).await;
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
async fn what_is_left_is_read_and_no_more_where_the_options_have_it_so() {
    let (fixture, old) = one_aggregate(Shape::default().going_on()).await;
    tokio::time::advance(DAY * 2).await;
    fixture.put(b"young".to_vec()).await;
    fixture.put(b"younger".to_vec()).await;
    let rows = fixture.all_rows().await;
    let rest = |start, upto| fixture.rest(fixture::read(start, at(upto)));
    let beginning_gone = rest(old[0].place(), rows[0].place()).await;
    assert_eq!(beginning_gone, (texts(&rows[..1]), 1));
    let all_gone = rest(ShardPosition::TrimHorizon, old[0].place()).await;
    assert_eq!(all_gone, (vec![], 1));
    let end_gone = rest(rows[0].place(), above(&rows[1].place())).await;
    assert_eq!(end_gone, (texts(&rows[1..]), 1));
    let nothing_gone = rest(rows[0].place(), rows[1].place()).await;
    assert_eq!(nothing_gone, (texts(&rows[1..]), 0));
    make_anew(&fixture).await;
    let stream_gone = rest(rows[0].place(), rows[1].place()).await;
    assert_eq!(stream_gone, (vec![], 1));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_refuses_is_no_loss() {
    let fixture = Fixture::with_records(0, 2, Shape::plain().going_on()).await;
    let upto = fixture.last_place().await;
    let error = ApiError::from_code(Operation::GetRecords, "AccessDeniedException", "no");
    fixture.kinesis.fail_next(Operation::GetRecords, error);
    let read = fixture::read(ShardPosition::TrimHorizon, at(upto));
    let error = fixture.rows(read).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
}
