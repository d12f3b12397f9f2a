//! Queries whose log is in a DynamoDB table.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::checkpoint::{DynamoDbCommitter, Log, OffsetCommitter};

use super::log_locations::LogStore;
use super::*;
use super::{crash_points, fencing, storms};
use crate::dynamo::{Dynamo, Fate};

const KEEPER: LogStore = LogStore::DynamoDb;
const BATCHES: u64 = 3;

#[tokio::test(start_paused = true)]
async fn killed_at_any_step_it_runs_the_batches_of_an_uninterrupted_run() {
    crash_points::at_every_step(KEEPER).await;
}

#[tokio::test(start_paused = true)]
async fn killed_in_any_log_call_it_runs_the_batches_of_an_uninterrupted_run() {
    crash_points::in_any_call(KEEPER).await;
}

#[tokio::test(start_paused = true)]
async fn killed_during_recovery_it_runs_the_batches_of_an_uninterrupted_run() {
    crash_points::again_and_again(KEEPER).await;
}

#[tokio::test(start_paused = true)]
async fn the_older_run_is_fenced_at_any_step() {
    fencing::at_any_step(KEEPER).await;
}

#[tokio::test(start_paused = true)]
async fn the_older_run_is_fenced_in_any_call() {
    fencing::in_any_call(KEEPER).await;
}

#[tokio::test(start_paused = true)]
async fn restarts_under_random_faults_lose_and_repeat_nothing() {
    storms::lives(KEEPER, &[(1, 40), (2, 25)]).await;
}

/// The name of the test, because tests of one process must not share the location of a log.
fn query_name() -> String {
    let thread = std::thread::current();
    let test = thread.name().and_then(|name| name.rsplit("::").next());
    test.unwrap().to_owned()
}

fn committer(dynamo: &Dynamo) -> Arc<DynamoDbCommitter> {
    Arc::new(DynamoDbCommitter::over(dynamo.client(), "offsets", &query_name()).unwrap())
}

async fn start(world: &World, sink: &Sink, dynamo: &Dynamo) -> StreamingQuery {
    let query = sink.of(words(world)).with_committer(committer(dynamo));
    query.start().await.unwrap()
}

/// Runs a query over some batches, whose put of `log` at `batch` has these fates, and resumes after
/// it ended.
async fn meeting(fates: &[Fate], log: Log, at: u64, ends: Option<ErrorKind>) {
    let context = format!("{fates:?} at {}/{at}", log.name());
    let (world, dynamo, sink) = (world(2).await, Dynamo::new(), Sink::default());
    let query = start(&world, &sink, &dynamo).await;
    for batch in 0..BATCHES {
        if batch == at {
            let before = usize::from(log == Log::Commits);
            dynamo.next("TransactWriteItems", &vec![Fate::Served; before]);
            dynamo.next("TransactWriteItems", fates);
        }
        for n in batch * 10..(batch + 1) * 10 {
            world.put("words", &n.to_string(), n.to_string()).await;
        }
        // The query may have failed; that is checked below.
        let _ = query.process_all_available().await;
    }
    assert!(dynamo.is_played(), "{context}");
    assert_eq!(dynamo.calls("CreateTable"), 1, "{context}");
    assert_eq!(query.error().map(|error| error.kind()), ends, "{context}");
    query.stop().await.unwrap_or_default();
    let query = start(&world, &sink, &dynamo).await;
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    assert_eq!(
        sink.numbers(),
        (0..BATCHES * 10).collect::<Vec<_>>(),
        "{context}"
    );
    let logged = sink.batches().into_iter().map(BatchId).collect::<Vec<_>>();
    for log in [Log::Offsets, Log::Commits] {
        let batches = committer(&dynamo).batches(log).await.unwrap();
        assert_eq!(batches, logged, "{context}");
    }
}

async fn at_any_put(fates: &[Fate], ends: Option<ErrorKind>) {
    for log in [Log::Offsets, Log::Commits] {
        for at in 0..BATCHES {
            meeting(fates, log, at, ends).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttles_conflicts_and_lost_responses_do_not_end_the_query() {
    let throttled = Fate::refused(400, "ProvisionedThroughputExceededException");
    at_any_put(&vec![throttled; 5], None).await;
    at_any_put(
        &vec![Fate::canceled(&["TransactionConflict", "None"]); 5],
        None,
    )
    .await;
    at_any_put(&[Fate::AnswerLost], None).await;
    at_any_put(&[Fate::AnswerLost, Fate::Lost, Fate::Lost], None).await;
}

#[tokio::test(start_paused = true)]
async fn a_permanently_unavailable_table_ends_the_query_and_the_next_start_resumes() {
    let away = Some(ErrorKind::Unavailable);
    at_any_put(&vec![Fate::Lost; 6], away).await;
    let mut fates = vec![Fate::Lost; 6];
    fates[0] = Fate::AnswerLost;
    at_any_put(&fates, away).await;
}

#[tokio::test(start_paused = true)]
async fn a_table_entry_serves_one_query_of_a_process() {
    let (world, dynamo, sink) = (world(1).await, Dynamo::new(), Sink::default());
    let query = start(&world, &sink, &dynamo).await;
    let second = sink.of(words(&world)).with_committer(committer(&dynamo));
    let error = second.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let running = format!("'dynamodb://offsets/{}' is running", query_name());
    assert!(error.to_string().contains(&running), "{error}");
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_query_without_a_name_is_refused() {
    let world = World::new();
    let options =
        "'kinesis.metadataCommitterType' 'DYNAMODB', 'kinesis.dynamodb.region' 'eu-west-1'";
    world.unbounded_table("words", 1, options).await;
    let error = Sink::default().of(words(&world)).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let text = error.to_string();
    for way in [
        "streaming.query_name",
        "with_name",
        "streaming.checkpoint_location",
    ] {
        assert!(text.contains(way), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_of_several_streams_must_set_table_and_region() {
    const BOTH: &str = "SELECT partitionKey, CAST(data AS VARCHAR) FROM words
        UNION ALL SELECT partitionKey, CAST(data AS VARCHAR) FROM clicks";
    let dynamodb = "'kinesis.metadataCommitterType' 'DYNAMODB'";
    for (more, regions, missing) in [
        (
            "'kinesis.dynamodb.region' 'eu-west-1'",
            ["", ""],
            "kinesis.dynamodb.tableName",
        ),
        (
            "'kinesis.dynamodb.tableName' 'offsets'",
            [
                "'kinesis.region' 'eu-west-1'",
                "'kinesis.region' 'us-east-2'",
            ],
            "kinesis.dynamodb.region",
        ),
    ] {
        let world = World::new();
        for (name, region) in ["words", "clicks"].into_iter().zip(regions) {
            let options = [dynamodb, more, region]
                .into_iter()
                .filter(|text| !text.is_empty());
            let options = options.collect::<Vec<_>>().join(", ");
            world.unbounded_table(name, 1, &options).await;
        }
        let query = StreamingQuery::builder(&world.ctx, BOTH).with_name("both");
        let error = Sink::default().of(query).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        let text = error.to_string();
        assert!(
            text.contains(&format!("option '{missing}' is missing")),
            "{text}"
        );
    }
}
