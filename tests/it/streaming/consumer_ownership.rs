//! Who deregisters the consumer of a query: the query that registered it, whichever of its starts ends last.

use datafusion_kinesis::kinesis::{ApiError, ConsumerSummary, ConsumerTags, Kinesis, Operation};
use datafusion_kinesis::model::{ConsumerName, StreamIdentity};
use tokio::time::sleep;

use super::fencing::BlockAt;
use super::log_locations::{LogStore, placed};
use super::recreated_stream::{everything, put, remake_subscribed};
use super::scripted_committer::{Scripted, Store};
use super::*;

/// Subscribes as consumer `sql`, which the query registers and deregisters.
const MANAGED: &str = "'kinesis.startingPosition' 'TRIM_HORIZON',
    'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'sql'";

/// Long enough for a consumer to become active, or to disappear.
const A_MINUTE: Duration = Duration::from_secs(60);

async fn subscribed() -> World {
    let world = World::new();
    world.unbounded_table("words", 2, MANAGED).await;
    world
}

async fn stream_arn(world: &World, stream: &str) -> Arc<str> {
    let stream = StreamIdentity::parse(stream).unwrap();
    world.kinesis.describe_stream(&stream).await.unwrap().arn
}

/// The consumers of a stream, after those that are being deleted have disappeared.
pub(super) async fn consumers(world: &World, stream: &str) -> Vec<ConsumerSummary> {
    sleep(A_MINUTE).await;
    let arn = stream_arn(world, stream).await;
    let fan_out = world.kinesis.fan_out().unwrap();
    let page = fan_out.list_consumers(&arn, None).await.unwrap();
    page.consumers
}

/// Registers consumer `sql` as somebody else does.
pub(super) async fn register(world: &World) -> ConsumerSummary {
    let (arn, name) = (
        stream_arn(world, "words").await,
        ConsumerName::new("sql").unwrap(),
    );
    let fan_out = world.kinesis.fan_out().unwrap();
    let no_tags = ConsumerTags::new();
    let registered = fan_out.register_consumer(&arn, &name, &no_tags);
    registered.await.unwrap()
}

/// Starts the query with its checkpoint at `place`, and waits until it has read everything.
async fn started(world: &World, place: &str) -> StreamingQuery {
    let query = Sink::default().of(words(world));
    let query = query.with_checkpoint_location(place).start().await.unwrap();
    query.process_all_available().await.unwrap();
    query
}

/// Runs the query until it ends gracefully.
async fn run_to_the_end(world: &World, place: &str) {
    started(world, place).await.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_next_start_of_a_killed_query_deregisters_the_consumer_at_its_end() {
    let world = subscribed().await;
    put(&world, 0..10).await;
    for run in 0..3 {
        drop(started(&world, "memory://owner-killed").await);
        assert_eq!(consumers(&world, "words").await.len(), 1, "{run}");
    }
    run_to_the_end(&world, "memory://owner-killed").await;
    assert_eq!(consumers(&world, "words").await, []);
}

#[tokio::test(start_paused = true)]
async fn killed_before_its_first_batch_it_deregisters_the_consumer_too() {
    let world = subscribed().await;
    let freeze = Freeze::at(Step::ReadersStarted, 1);
    let killed = Sink::default().of(words(&world));
    let killed = killed.with_checkpoint_location("memory://owner-early");
    let killed = killed.with_step_hook(freeze.hook.clone());
    let killed = killed.start().await.unwrap();
    freeze.reached().await;
    drop(killed);
    assert_eq!(consumers(&world, "words").await.len(), 1);
    run_to_the_end(&world, "memory://owner-early").await;
    assert_eq!(consumers(&world, "words").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_others_registered_stays() {
    let world = subscribed().await;
    let before = register(&world).await;
    drop(started(&world, "memory://owner-others").await);
    run_to_the_end(&world, "memory://owner-others").await;
    let left = consumers(&world, "words").await;
    assert_eq!(left[0].arn, before.arn, "registered before the first start");

    // Somebody replaces the consumer of a killed query by another one of the same name.
    let fan_out = world.kinesis.fan_out().unwrap();
    fan_out.deregister_consumer(&before.arn).await.unwrap();
    sleep(A_MINUTE).await;
    drop(started(&world, "memory://owner-replaced").await);
    let own = consumers(&world, "words").await.remove(0);
    fan_out.deregister_consumer(&own.arn).await.unwrap();
    sleep(A_MINUTE).await;
    let replaced = register(&world).await;
    run_to_the_end(&world, "memory://owner-replaced").await;
    let left = consumers(&world, "words").await;
    assert_eq!(left[0].arn, replaced.arn);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_another_query_registered_stays() {
    let world = subscribed().await;
    drop(started(&world, "memory://owner-first").await);
    run_to_the_end(&world, "memory://owner-second").await;
    assert_eq!(consumers(&world, "words").await.len(), 1);
    run_to_the_end(&world, "memory://owner-first").await;
    assert_eq!(consumers(&world, "words").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_query_without_a_checkpoint_deregisters_only_what_its_own_run_registered() {
    let world = subscribed().await;
    let run = async || {
        let query = Sink::default().of(words(&world)).start().await.unwrap();
        query.process_all_available().await.unwrap();
        query
    };
    drop(run().await);
    run().await.stop().await.unwrap();
    let left = consumers(&world, "words").await;
    assert_eq!(left.len(), 1);
    let fan_out = world.kinesis.fan_out().unwrap();
    fan_out.deregister_consumer(&left[0].arn).await.unwrap();
    sleep(A_MINUTE).await;
    run().await.stop().await.unwrap();
    assert_eq!(consumers(&world, "words").await, []);
}

/// Denies the next call of an operation.
fn deny(world: &World, operation: Operation) {
    let error = ApiError::from_code(operation, "AccessDeniedException", "not allowed");
    world.kinesis.fail_next(operation, error);
}

#[tokio::test(start_paused = true)]
async fn without_permission_to_tag_only_the_run_that_registered_the_consumer_deregisters_it() {
    let world = subscribed().await;
    deny(&world, Operation::RegisterStreamConsumer);
    run_to_the_end(&world, "memory://owner-untagged").await;
    assert_eq!(consumers(&world, "words").await, []);
    deny(&world, Operation::RegisterStreamConsumer);
    drop(started(&world, "memory://owner-untagged").await);
    run_to_the_end(&world, "memory://owner-untagged").await;
    assert_eq!(consumers(&world, "words").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_permission_to_read_tags_a_consumer_of_an_earlier_run_stays() {
    let world = subscribed().await;
    drop(started(&world, "memory://owner-unread").await);
    deny(&world, Operation::ListTagsForResource);
    run_to_the_end(&world, "memory://owner-unread").await;
    assert_eq!(consumers(&world, "words").await.len(), 1);
    run_to_the_end(&world, "memory://owner-unread").await;
    assert_eq!(consumers(&world, "words").await, []);
}

#[tokio::test(start_paused = true)]
async fn no_consumer_is_left_when_one_of_two_streams_is_recreated() {
    let world = subscribed().await;
    world.unbounded_table("others", 2, MANAGED).await;
    let both = StreamingQuery::builder(
        &world.ctx,
        "SELECT partitionKey, CAST(data AS VARCHAR) FROM words
         UNION ALL SELECT partitionKey, CAST(data AS VARCHAR) FROM others",
    );
    let sink = Sink::default();
    let query = sink.of(both).start().await.unwrap();
    put(&world, 0..10).await;
    query.process_all_available().await.unwrap();
    let before = consumers(&world, "others").await;
    remake_subscribed(&world, "words", 3).await;
    put(&world, 10..20).await;
    query.process_all_available().await.unwrap();
    everything(&sink, 0..20);
    assert_eq!(consumers(&world, "others").await, before);
    query.stop().await.unwrap();
    assert_eq!(consumers(&world, "words").await, []);
    assert_eq!(consumers(&world, "others").await, []);
}

/// An older start ends gracefully while a newer one runs, before it notices.
async fn overtaken(older: StreamingQueryBuilder, newer: StreamingQueryBuilder, world: &World) {
    let older = older.as_in_another_process().start().await.unwrap();
    older.process_all_available().await.unwrap();
    let newer = newer.as_in_another_process().start().await.unwrap();
    newer.process_all_available().await.unwrap();
    let used = consumers(world, "words").await;
    older.stop().await.unwrap();
    assert_eq!(consumers(world, "words").await, used);
    assert!(newer.is_active());
    newer.stop().await.unwrap();
    assert_eq!(consumers(world, "words").await, []);
}

async fn overtaken_at(keeper: LogStore) {
    for records in [0, 10] {
        let world = subscribed().await;
        let place = keeper.place(&format!("owner-overtaken-{records}"));
        put(&world, 0..records).await;
        let query = || placed(Sink::default().of(words(&world)), &place);
        overtaken(query(), query(), &world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_start_leaves_the_consumer_to_the_newer_one() {
    overtaken_at(LogStore::Memory).await;
}

#[cfg(feature = "dynamodb")]
#[tokio::test(start_paused = true)]
async fn an_older_start_leaves_the_consumer_to_the_newer_one_with_dynamodb() {
    overtaken_at(LogStore::DynamoDb).await;
}

/// A committer of others, which does not say which epoch is the newest, but fences puts.
#[tokio::test(start_paused = true)]
async fn an_older_start_leaves_the_consumer_to_the_newer_one_with_any_committer() {
    let world = subscribed().await;
    put(&world, 0..10).await;
    let store = Arc::new(Store::default());
    let query = || {
        let query = Sink::default().of(words(&world));
        query.with_committer(Scripted::new(&store, &[]))
    };
    overtaken(query(), query(), &world).await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_stays_if_the_checkpoint_does_not_say_whether_the_start_is_the_newest() {
    let world = subscribed().await;
    put(&world, 0..10).await;
    let store = Arc::new(Store::default());
    let query = || {
        let query = Sink::default().of(words(&world));
        query.with_committer(Scripted::new(&store, &[])).start()
    };
    let cut_off = query().await.unwrap();
    cut_off.process_all_available().await.unwrap();
    store.fail_next(u32::MAX);
    cut_off.stop().await.unwrap();
    assert_eq!(consumers(&world, "words").await.len(), 1);
    store.fail_next(0);
    let again = query().await.unwrap();
    again.process_all_available().await.unwrap();
    again.stop().await.unwrap();
    assert_eq!(consumers(&world, "words").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_overtaken_while_it_waits_leaves_the_consumer() {
    let world = subscribed().await;
    let sink = Sink::default();
    let query = || {
        let query = sink.of(words(&world)).as_in_another_process();
        query.with_checkpoint_location("memory://owner-blocked")
    };
    let block = BlockAt::at(Step::ReadersStarted, 1);
    let older = query().with_step_hook(block.hook.clone());
    let older = older.start().await.unwrap();
    block.held.notified().await;
    let newer = query().start().await.unwrap();
    put(&world, 0..10).await;
    newer.process_all_available().await.unwrap();
    let used = consumers(&world, "words").await;
    let stopped = older.stop();
    block.go.notify_one();
    stopped.await.unwrap();
    assert_eq!(consumers(&world, "words").await, used);
    newer.stop().await.unwrap();
    assert_eq!(consumers(&world, "words").await, []);
}
