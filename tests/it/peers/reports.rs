//! Problems that users of other systems reported, and others found besides `d01` to `d13`.

use std::time::Duration;

use bytes::Bytes;
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::aggregation::{AggregateBuilder, UserRecord};
use datafusion_kinesis::kinesis::{ApiError, Operation};
use datafusion_kinesis::model::Trigger;

use super::trial::{Trial, hours};
use crate::streaming::{FROM_THE_START, Sink, words};
use crate::support::World;

/// An aggregated record of three user records, the middle one empty.
fn with_an_empty_one() -> Bytes {
    let mut builder = AggregateBuilder::new(1 << 20);
    for data in ["2", "", "3"] {
        builder.try_push(&UserRecord {
            partition_key: "k",
            explicit_hash_key: None,
            data: data.as_bytes(),
        });
    }
    builder.finish()
}

/// An empty record is a record: reading does not stop at it, and nothing is repeated after it.
#[tokio::test(start_paused = true)]
async fn an_empty_record_is_a_row_like_any_other() {
    let options = format!("{FROM_THE_START}, 'kinesis.maxFetchRecordsPerShard' '1'");
    let world = World::new();
    world.unbounded_table("words", 1, &options).await;
    world.table_again("written", "words", "").await;
    let sink = Sink::default();
    for data in ["1", ""] {
        world.put("words", "k", data).await;
    }
    world.put("words", "k", with_an_empty_one()).await;
    let insert = "INSERT INTO written (partitionKey, data) VALUES ('k', ''), ('k', '4')";
    assert_eq!(world.number(insert).await, 2);
    for _start in 0..3 {
        let query = sink
            .of(words(&world))
            .with_checkpoint_location("memory://no-bytes");
        let query = query.start().await.unwrap();
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
    }
    assert_eq!(sink.rows(), ["1", "", "2", "", "3", "", "4"]);
}

/// Something that only looks like an aggregate is one row, and so is a truncated aggregate; no
/// record next to it is dropped.
#[tokio::test(start_paused = true)]
async fn an_aggregate_that_cannot_be_opened_drops_no_record() {
    let trial = Trial::new("aggregates", 1, FROM_THE_START).await;
    let whole = with_an_empty_one();
    let broken = [
        whole.slice(..4),
        whole.slice(..20),
        whole.slice(..whole.len() - 1),
        Bytes::from([&whole[..], b"x"].concat()),
    ];
    for record in &broken {
        trial.world.put("words", "k", record.clone()).await;
        trial.world.put("words", "k", "1").await;
    }
    trial.world.table_again("history", "words", "").await;
    let count = "SELECT count(*) FROM history";
    assert_eq!(trial.world.number(count).await, 8);
    let lengths = "SELECT sum(octet_length(encode(data, 'hex')) / 2) FROM history";
    let bytes: usize = broken.iter().map(|record| record.len() + 1).sum();
    assert_eq!(trial.world.number(lengths).await, bytes as u64);
}

/// A quiet stream is read when records arrive, and meanwhile costs one batch without rows in six
/// hours; reshards cost at most one more.
#[tokio::test(start_paused = true)]
async fn quiet_days_and_reshards_cost_little_and_nothing_gets_stuck() {
    let options = format!(
        "{FROM_THE_START}, 'kinesis.getRecords.fetchIntervalMs' '60000',
         'kinesis.describeShardInterval' '60s'"
    );
    let mut trial = Trial::new("quiet", 2, &options).await;
    let query = trial.start_for_good().await;
    trial.put(50).await;
    query.process_all_available().await.unwrap();
    trial.split(0).await;
    trial.merge(3, 1).await;
    let (runs, rows) = (trial.journal.runs().len(), trial.journal.rows());
    hours(72).await;
    let marks = trial.journal.runs().len() - runs;
    assert!((1..=72 / 6 + 1).contains(&marks), "{marks}");
    assert_eq!(trial.journal.rows(), rows);
    trial.put(50).await;
    query.process_all_available().await.unwrap();
    trial.expect_all();
}

/// An iterator that expired during a long batch is renewed at the same position.
#[tokio::test(start_paused = true)]
async fn a_batch_longer_than_an_iterator_lifetime_loses_nothing() {
    let options = format!(
        "{FROM_THE_START}, 'kinesis.getRecords.fetchIntervalMs' '400000',
         'kinesis.getRecords.numberOfRecordsPerFetch' '10'"
    );
    let mut trial = Trial::new("slow", 1, &options).await;
    trial.put(100).await;
    let query = trial.start().await;
    query.process_all_available().await.unwrap();
    trial.expect_all();
    assert!(
        query.last_progress().unwrap().sources[0]
            .metrics
            .iterator_renewals
            > 0
    );
}

/// `AvailableNow` repeatedly, with and without new records.
#[tokio::test(start_paused = true)]
async fn self_ending_runs_can_be_repeated() {
    let trial = Trial::new("again", 2, FROM_THE_START).await;
    let mut trial = trial.with_trigger(Trigger::AvailableNow);
    for run in 0..20 {
        trial.put(if run % 3 == 0 { 10 } else { 0 }).await;
        trial.start().await.await_termination().await.unwrap();
    }
    trial.expect_all();
    assert_eq!(trial.journal.runs().len(), 7);
}

/// Two queries over one stream are independent.
#[tokio::test(start_paused = true)]
async fn two_queries_over_one_stream_each_read_everything() {
    let mut trial = Trial::new("first", 2, FROM_THE_START).await;
    let other = Sink::default();
    let start = || {
        other
            .of(words(&trial.world))
            .with_checkpoint_location("memory://other")
            .start()
    };
    let query = trial.start().await;
    let beside = start().await.unwrap();
    trial.put(100).await;
    query.process_all_available().await.unwrap();
    beside.process_all_available().await.unwrap();
    trial.expect_all();
    assert_eq!(other.numbers(), (0..100).collect::<Vec<_>>());
}

/// A starting time is that time, not the current one.
#[tokio::test(start_paused = true)]
async fn a_start_at_a_timestamp_begins_there() {
    let mut trial = Trial::new("at-a-time", 2, "").await;
    trial.put(50).await;
    hours(1).await;
    trial.world.run("DROP TABLE words").await;
    let start = "'kinesis.startingPosition' 'AT_TIMESTAMP 2023-11-14T23:13:20Z',
        'kinesis.extraColumns' 'shardId'";
    trial
        .world
        .unbounded_table_again("words", "words", start)
        .await;
    trial.put(50).await;
    hours(1).await;
    trial.run().await;
    trial.expect_from(50);
}

/// No retries means one try, not none.
#[tokio::test(start_paused = true)]
async fn without_retries_everything_is_tried_once() {
    let world = World::new();
    let none = "'kinesis.clientNumRetries' '0'";
    world.table("words", 1, none).await;
    world
        .run("INSERT INTO words (partitionKey, data) VALUES ('k', 'x')")
        .await;
    assert_eq!(world.number("SELECT count(*) FROM words").await, 1);
}

/// A missing permission is reported, and not mistaken for a stream without records.
#[tokio::test(start_paused = true)]
async fn a_missing_permission_ends_the_query() {
    for code in [
        "AccessDeniedException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
    ] {
        let mut trial = Trial::new(&format!("denied-{code}"), 1, FROM_THE_START).await;
        trial.put(10).await;
        let error = ApiError::from_code(Operation::GetRecords, code, "not for you");
        trial.world.kinesis.fail_next(Operation::GetRecords, error);
        let query = trial.start().await;
        let ended = tokio::time::timeout(Duration::from_secs(600), query.await_termination());
        let error = ended.await.unwrap().unwrap_err();
        assert_ne!(error.kind(), ErrorKind::DataLoss);
        let message = error.to_string();
        assert!(
            message.contains(code) && message.contains("shardId-"),
            "{message}"
        );
        trial.run().await;
        trial.expect_all();
    }
}

/// Option values that are constants elsewhere ignore case.
#[tokio::test(start_paused = true)]
async fn constants_in_options_ignore_case() {
    for position in ["trim_horizon", "Trim_Horizon", "TRIM_HORIZON"] {
        let option = format!("'KINESIS.STARTINGPOSITION' '{position}'");
        let mut trial = Trial::new(&format!("case-{position}"), 1, &option).await;
        trial.put(10).await;
        trial.run().await;
        trial.expect_all();
    }
}
