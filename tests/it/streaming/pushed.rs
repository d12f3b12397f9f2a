//! Queries that subscribe to shards (enhanced fan-out).

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::{ConsumerSummary, FaultPlan, FaultRates, Kinesis, Operation};
use datafusion_kinesis::model::{StreamIdentity, StreamName};
use tokio::time::sleep;

use super::recreated_stream::{everything, losses, put};
use super::*;

/// Subscribes from the oldest record on.
const PUSHED: &str = "'kinesis.startingPosition' 'TRIM_HORIZON',
    'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'sql'";

/// The consumers of stream `words`.
async fn consumers(world: &World) -> Vec<ConsumerSummary> {
    let stream = StreamIdentity::parse("words").unwrap();
    let stream = world.kinesis.describe_stream(&stream).await.unwrap();
    let fan_out = world.kinesis.fan_out().unwrap();
    let page = fan_out.list_consumers(&stream.arn, None).await.unwrap();
    page.consumers
}

#[tokio::test(start_paused = true)]
async fn the_consumer_in_a_recreated_stream_is_deregistered_at_the_end() {
    let world = World::new();
    world.unbounded_table("words", 2, PUSHED).await;
    let sink = Sink::default();
    let query = sink.of(words(&world)).start().await.unwrap();
    put(&world, 0..10).await;
    query.process_all_available().await.unwrap();
    let before = consumers(&world).await;
    let (stream, name) = (
        StreamIdentity::parse("words").unwrap(),
        StreamName::new("words").unwrap(),
    );
    // The query cannot reach the service while the stream does not exist, and lists its shards only later.
    let unreachable = FaultRates::default().with_connection_lost(1.0);
    let no_list = FaultPlan::default().with(Operation::ListShards, unreachable);
    let broken = unreachable.with_early_end(1.0);
    let outage = no_list.clone().with(Operation::SubscribeToShard, broken);
    world.kinesis.set_faults(outage);
    sleep(Duration::from_secs(6)).await;
    let deleted = world.kinesis.delete_stream_and_consumers(&stream);
    deleted.await.unwrap();
    sleep(Duration::from_secs(2)).await;
    world.kinesis.create_stream(&name, 3).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    world.kinesis.set_faults(no_list);
    sleep(Duration::from_secs(20)).await;
    world.kinesis.set_faults(FaultPlan::default());
    put(&world, 10..20).await;
    sleep(Duration::from_secs(60)).await;
    query.process_all_available().await.unwrap();
    everything(&sink, 0..20);
    assert_eq!(losses(&query), 1);
    let after = consumers(&world).await;
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before[0].arn, after[0].arn);
    query.stop().await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(consumers(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn two_tables_that_would_take_each_others_subscriptions_are_refused() {
    let world = World::new();
    world.unbounded_table("words", 2, PUSHED).await;
    world.unbounded_table_again("again", "words", PUSHED).await;
    let both = StreamingQuery::builder(
        &world.ctx,
        "SELECT partitionKey, CAST(data AS VARCHAR) FROM words
         UNION ALL SELECT partitionKey, CAST(data AS VARCHAR) FROM again",
    );
    let refused = Sink::default().of(both).start().await;
    let error = refused.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    let error = error.to_string();
    for part in ["words", "again", "consumer 'sql'", "'kinesis.consumerName'"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(consumers(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_goes_on_with_the_other_consumer_type_and_back() {
    let world = World::new();
    world.unbounded_table("words", 2, PUSHED).await;
    let polled = "'kinesis.startingPosition' 'TRIM_HORIZON'";
    world.unbounded_table_again("polled", "words", polled).await;
    let sink = Sink::default();
    let mut read = 0;
    for table in ["words", "polled", "words", "words", "polled", "polled"] {
        world.run("DROP TABLE IF EXISTS source").await;
        let options = match table {
            "words" => PUSHED,
            _ => polled,
        };
        world
            .unbounded_table_again("source", "words", options)
            .await;
        let query = StreamingQuery::builder(
            &world.ctx,
            "SELECT partitionKey, CAST(data AS VARCHAR) FROM source",
        );
        let query = sink
            .of(query)
            .with_checkpoint_location("memory://pushed-or-polled");
        let query = query.start().await.unwrap();
        put(&world, read..read + 20).await;
        read += 20;
        query.process_all_available().await.unwrap();
        everything(&sink, 0..read);
        assert_eq!(losses(&query), 0);
        query.stop().await.unwrap();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(consumers(&world).await, []);
    }
}
