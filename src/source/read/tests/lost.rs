//! Ranges whose rows are gone.

use std::time::Duration;

use super::*;
use crate::kinesis::{ApiError, Kinesis, TrimmedPosition};
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

/// A shard of ten records, one every hour, and all of their rows.
async fn hourly(mode: TrimmedPosition, shape: Shape) -> (Fixture, Vec<Row>) {
    let fixture = Fixture::with_trimmed_positions(mode, shape).await;
    for hour in 0..10 {
        fixture.put(format!("{hour}").into_bytes()).await;
        tokio::time::advance(DAY / 24).await;
    }
    let rows = fixture.all_rows().await;
    (fixture, rows)
}

/// The rows behind the first one, up to the last.
fn all_behind_the_first(rows: &[Row]) -> ShardRead {
    let upto = at(rows.last().unwrap().place());
    ShardRead {
        rows: Some(rows.len() as u64 - 1),
        ..fixture::read(rows[0].place(), upto)
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_whose_beginning_is_gone_has_fewer_rows_than_it_was_planned_with() {
    for mode in [TrimmedPosition::Resumes, TrimmedPosition::Pinned] {
        let (fixture, rows) = hourly(mode, Shape::plain().pages_of(2)).await;
        let read = all_behind_the_first(&rows);
        assert_eq!(fixture.rows(read.clone()).await.unwrap(), texts(&rows[1..]));
        // The first record is gone by right, and leads nowhere.
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

        let (fixture, rows) = hourly(mode, Shape::plain().going_on()).await;
        tokio::time::advance(DAY - DAY * 6 / 24).await;
        let rest = fixture.rest(all_behind_the_first(&rows)).await;
        assert_eq!(rest.1, 1);
        assert!(
            !rest.0.is_empty() && texts(&rows[1..]).ends_with(&rest.0),
            "{rest:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_without_rows_is_not_asked_for() {
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
async fn a_read_to_the_tip_from_a_place_that_is_gone_says_so_and_ends() {
    for mode in [TrimmedPosition::Resumes, TrimmedPosition::Pinned] {
        let (mut fixture, rows) = hourly(mode, Shape::plain()).await;
        tokio::time::advance(DAY - DAY * 5 / 24).await;
        let read = fixture::read(rows[0].place(), tip(&fixture));
        let error = fixture.rows(read.clone()).await.unwrap_err();
        let message = error.to_string();
        assert_eq!(error.kind(), ErrorKind::DataLoss, "{message}");
        let place = format!(
            "'words', shard 'shardId-000000000000', position {}",
            rows[0].place()
        );
        assert!(message.contains(&place), "{message}");
        fixture.context.options.fail_on_data_loss = false;
        let (rest, losses) = fixture.rest(read).await;
        assert_eq!(losses, 1, "{mode:?}");
        assert!(
            !rest.is_empty() && texts(&rows).ends_with(&rest),
            "{rest:?}"
        );
        // A place that is there, and the oldest record, lose nothing.
        let there = rows[rows.len() - 2].place();
        for start in [there, ShardPosition::TrimHorizon] {
            let (_, losses) = fixture.rest(fixture::read(start, tip(&fixture))).await;
            assert_eq!(losses, 0);
        }
    }
}

fn tip(fixture: &Fixture) -> Until {
    Until::Tip(fixture.context.clock.now())
}
