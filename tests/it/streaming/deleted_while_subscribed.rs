//! A stream that is deleted while a query subscribes to it: the query does what it does if it polls.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::{InMemoryOptions, Kinesis};
use datafusion_kinesis::model::{StreamIdentity, StreamName};
use tokio::time::sleep;

use super::consumer_ownership::{consumers, register};
use super::recreated_stream::{everything, losses, put};
use super::*;

/// How long a stream is being created or deleted.
const STATUS_DELAY: Duration = Duration::from_secs(60);

const SUBSCRIBED: &str = "'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'sql',";

/// How a query reads the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Polling,
    Subscribed(&'static str),
}

const ALL: [Reads; 4] = [
    Reads::Polling,
    Reads::Subscribed("managed"),
    Reads::Subscribed("reuse"),
    Reads::Subscribed("external"),
];

async fn create(world: &World) {
    let name = StreamName::new("words").unwrap();
    while world.kinesis.create_stream(&name, 2).await.is_err() {
        sleep(Duration::from_millis(1)).await;
    }
}

impl Reads {
    /// A query that has read ten records.
    async fn query(self, test: &str, fails: bool) -> (World, Sink, StreamingQuery) {
        let options = InMemoryOptions::default().with_status_delay(STATUS_DELAY);
        let world = World::with_options(options);
        create(&world).await;
        sleep(STATUS_DELAY).await;
        let reads = match self {
            Self::Polling => String::new(),
            Self::Subscribed(lifecycle) => {
                format!("{SUBSCRIBED} 'kinesis.consumerLifecycle' '{lifecycle}',")
            }
        };
        self.register(&world).await;
        let options = format!("{reads} 'kinesis.failOnDataLoss' '{fails}', {FROM_THE_START}");
        world
            .unbounded_table_again("words", "words", &options)
            .await;
        let sink = Sink::default();
        let query = sink.of(words(&world));
        let place = format!("memory://{test}-{self:?}-{fails}");
        let query = query.with_checkpoint_location(place);
        let query = query.start().await.unwrap();
        put(&world, 0..10).await;
        query.process_all_available().await.unwrap();
        // Every shard is subscribed to.
        sleep(Duration::from_secs(10)).await;
        (world, sink, query)
    }

    /// Registers the consumer if the query does not.
    async fn register(self, world: &World) {
        if self == Self::Subscribed("external") {
            register(world).await;
        }
    }
}

async fn delete(world: &World) {
    let stream = StreamIdentity::parse("words").unwrap();
    let deleted = world.kinesis.delete_stream_and_consumers(&stream);
    deleted.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_ends_the_query_and_is_named() {
    for fails in [false, true] {
        let mut messages = Vec::new();
        for reads in ALL {
            let (world, sink, query) = reads.query("deleted", fails).await;
            delete(&world).await;
            let error = query.await_termination().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{reads:?}: {error}");
            everything(&sink, 0..10);
            let message = error.to_string();
            let (_, message) = message.split_once("stream 'words'").unwrap();
            messages.push(message.to_owned());
        }
        assert!(messages[0].contains("was deleted while"), "{messages:?}");
        for message in &messages {
            assert_eq!(*message, messages[0]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_query_continues_with_a_stream_that_is_deleted_and_made_anew() {
    for reads in ALL {
        let (world, sink, query) = reads.query("made-anew", false).await;
        delete(&world).await;
        create(&world).await;
        sleep(STATUS_DELAY).await;
        reads.register(&world).await;
        put(&world, 10..20).await;
        // The consumer is being created.
        sleep(STATUS_DELAY * 2).await;
        query.process_all_available().await.unwrap();
        everything(&sink, 0..20);
        assert_eq!(losses(&query), 1, "{reads:?}");
        query.stop().await.unwrap();
        let left = usize::from(matches!(reads, Reads::Subscribed("reuse" | "external")));
        assert_eq!(consumers(&world, "words").await.len(), left, "{reads:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_fail_on_data_loss_a_stream_that_is_made_anew_ends_the_query() {
    for reads in ALL {
        let (world, sink, query) = reads.query("made-anew", true).await;
        delete(&world).await;
        create(&world).await;
        sleep(STATUS_DELAY).await;
        reads.register(&world).await;
        put(&world, 10..20).await;
        let error = query.await_termination().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataLoss, "{reads:?}: {error}");
        let message = error.to_string();
        assert!(
            message.contains("deleted and recreated"),
            "{reads:?}: {message}"
        );
        everything(&sink, 0..10);
        // A query that has failed leaves nothing in a stream that it has not read.
        let left = usize::from(reads == Reads::Subscribed("external"));
        assert_eq!(consumers(&world, "words").await.len(), left, "{reads:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_external_consumer_that_the_new_stream_does_not_have_is_named() {
    let reads = Reads::Subscribed("external");
    let (world, _, query) = reads.query("no-consumer", false).await;
    delete(&world).await;
    create(&world).await;
    let error = query.await_termination().await.unwrap_err();
    let message = error.to_string();
    for part in [
        "consumer 'sql'",
        "does not exist",
        "'kinesis.consumerLifecycle'",
    ] {
        assert!(message.contains(part), "{message}");
    }
}
