//! Enhanced fan-out of the embedded server, with the AWS SDK over HTTP/1.1 and HTTP/2.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::error::SubscribeToShardEventStreamError;
use aws_sdk_kinesis::types::{
    ConsumerStatus, ShardIteratorType, StartingPosition, SubscribeToShardEvent,
    SubscribeToShardEventStream,
};
use datafusion_kinesis::kinesis::{
    ApiErrorKind, ConsumerId, EmbeddedServer, FaultPlan, FaultRates, InMemoryKinesis,
    InMemoryOptions, IteratorPosition, Kinesis, Operation, RecordColumns, SdkKinesis,
    SubscriptionEvent,
};
use datafusion_kinesis::model::{
    Clock, ConnectionSettings, ConsumerArn, CredentialSettings, HashKey, Secret, ShardId,
    StaticCredentials, StreamIdentity, SystemClock, UnixMillis,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::process::{self, Running, folder};
use crate::sdk::{client, client_trusting};

const SHARD: &str = "shardId-000000000000";

/// The system clock, which can be put forward.
#[derive(Debug, Default)]
struct TestClock {
    ahead_millis: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(SystemClock.now().0 + self.ahead_millis.load(Ordering::Relaxed))
    }
}

/// Passes connections on to `server`, and counts them.
async fn counting(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (
        listener.local_addr().unwrap(),
        Arc::<AtomicUsize>::default(),
    );
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await?;
                copy_bidirectional(&mut connection, &mut server).await
            });
        }
    });
    (address, count)
}

/// A server with a stream and an active consumer, and a client of it.
struct World {
    clock: Arc<TestClock>,
    kinesis: Arc<InMemoryKinesis>,
    server: EmbeddedServer,
    client: Client,
    consumer: String,
}

impl World {
    async fn start(has_tls: bool) -> Self {
        let clock = Arc::new(TestClock::default());
        let shared = Arc::<TestClock>::clone(&clock);
        let kinesis = Arc::new(InMemoryKinesis::new(shared, InMemoryOptions::default()));
        let served = Arc::clone(&kinesis);
        let address = "127.0.0.1:0";
        let server = match has_tls {
            true => EmbeddedServer::bind_with_tls(address, served).await,
            false => EmbeddedServer::bind(address, served).await,
        };
        let server = server.unwrap();
        let client = match server.certificate() {
            Some(pem) => client_trusting(&server.endpoint_url(), pem),
            None => client(&server.endpoint_url()),
        };
        let create = client.create_stream().stream_name("words").shard_count(1);
        create.send().await.unwrap();
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/words";
        let register = client.register_stream_consumer().stream_arn(arn);
        let registered = register.consumer_name("sql").send().await.unwrap();
        let consumer = registered.consumer.unwrap();
        assert_eq!(consumer.consumer_status, ConsumerStatus::Creating);
        let world = Self {
            clock,
            kinesis,
            server,
            client,
            consumer: consumer.consumer_arn,
        };
        world.wait(1_000);
        let describe = world.client.describe_stream_consumer();
        let described = describe.consumer_arn(&world.consumer).send().await.unwrap();
        let described = described.consumer_description.unwrap();
        assert_eq!(described.consumer_status, ConsumerStatus::Active);
        world
    }

    /// Puts the clock of the server forward.
    fn wait(&self, millis: i64) {
        self.clock.ahead_millis.fetch_add(millis, Ordering::Relaxed);
    }

    async fn subscribe(&self) -> Result<SubscribeToShardOutput, String> {
        let position = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon);
        let subscribe = self.client.subscribe_to_shard().shard_id(SHARD);
        let subscribe = subscribe.consumer_arn(&self.consumer);
        let sent = subscribe
            .starting_position(position.build().unwrap())
            .send();
        sent.await.map_err(|error| code(&error))
    }

    async fn put(&self, text: &str) {
        let put = self.client.put_record().stream_name("words");
        let put = put.partition_key("k").data(Blob::new(text));
        put.send().await.unwrap();
    }

    fn set_faults(&self, rates: FaultRates) {
        let plan = FaultPlan::default().with(Operation::SubscribeToShard, rates);
        self.kinesis.set_faults(plan);
    }
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.code().unwrap_or("no answer").to_owned()
}

/// The next event; `None` at the end.
async fn next(
    subscription: &mut SubscribeToShardOutput,
) -> Result<Option<SubscribeToShardEvent>, String> {
    let received = timeout(Duration::from_secs(20), subscription.event_stream.recv());
    let received = received.await.expect("an event within 20 seconds");
    match received {
        Ok(None) => Ok(None),
        Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event))) => Ok(Some(event)),
        Ok(Some(other)) => panic!("{other:?}"),
        Err(error) => Err(match error.as_service_error() {
            Some(SubscribeToShardEventStreamError::ResourceNotFoundException(_)) => {
                "not found".to_owned()
            }
            Some(SubscribeToShardEventStreamError::ResourceInUseException(_)) => {
                "in use".to_owned()
            }
            Some(SubscribeToShardEventStreamError::InternalFailureException(_)) => {
                "internal failure".to_owned()
            }
            Some(other) => panic!("{other:?}"),
            None => "no answer".to_owned(),
        }),
    }
}

fn texts(event: &SubscribeToShardEvent) -> Vec<&str> {
    let records = event.records.iter();
    let texts = records.map(|record| str::from_utf8(record.data.as_ref()).unwrap());
    texts.collect()
}

#[tokio::test]
async fn the_sdk_follows_a_shard_to_its_end() {
    for has_tls in [false, true] {
        let world = World::start(has_tls).await;
        world.put("first").await;
        let mut subscription = world.subscribe().await.unwrap();
        let event = next(&mut subscription).await.unwrap().unwrap();
        assert_eq!(texts(&event), ["first"]);
        let number = &event.records[0].sequence_number;
        assert_eq!(&event.continuation_sequence_number, number);

        for number in 0..20 {
            let text = number.to_string();
            let (_, event) = tokio::join!(world.put(&text), next(&mut subscription));
            let event = event.unwrap().unwrap();
            assert_eq!(texts(&event), [text.as_str()]);
            assert_eq!(event.millis_behind_latest, 0);
        }

        let (words, shard) = (StreamIdentity::parse("words").unwrap(), ShardId::new(SHARD));
        let split = world.kinesis.split_shard(&words, &shard, HashKey(1 << 127));
        split.await.unwrap();
        let last = next(&mut subscription).await.unwrap().unwrap();
        assert!(last.records.is_empty() && last.continuation_sequence_number.is_empty());
        let children = last.child_shards.unwrap();
        assert_eq!(children[0].shard_id, "shardId-000000000001");
        assert_eq!(children[1].parent_shards, [SHARD]);
        assert!(next(&mut subscription).await.unwrap().is_none());
        world.server.shutdown().await;
    }
}

#[tokio::test]
async fn the_sdk_gets_refusals_and_errors_in_the_middle() {
    for has_tls in [false, true] {
        let world = World::start(has_tls).await;
        let mut first = world.subscribe().await.unwrap();
        let refused = world.subscribe().await.unwrap_err();
        assert_eq!(refused, "ResourceInUseException");
        world.wait(5_000);
        let mut second = world.subscribe().await.unwrap();
        assert_eq!(next(&mut first).await.unwrap_err(), "in use");
        let deregister = world.client.deregister_stream_consumer();
        let deregister = deregister.consumer_arn(&world.consumer).send();
        deregister.await.unwrap();
        assert_eq!(next(&mut second).await.unwrap_err(), "not found");
        world.wait(5_000);
        let refused = world.subscribe().await.unwrap_err();
        assert_eq!(refused, "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn faults_break_event_streams() {
    let rates = FaultRates::default();
    for has_tls in [false, true] {
        let world = World::start(has_tls).await;
        world.put("word").await;
        for (rates, expected) in [
            (
                rates.with_failed_event(1.0),
                Err("internal failure".to_owned()),
            ),
            (rates.with_broken_event(1.0), Err("no answer".to_owned())),
            (rates.with_early_end(1.0), Ok(true)),
            (rates, Ok(false)),
        ] {
            world.set_faults(rates);
            let mut subscription = world.subscribe().await.unwrap();
            let received = next(&mut subscription).await;
            assert_eq!(received.map(|event| event.is_none()), expected);
            world.wait(5_000);
        }
        for rates in [rates.with_connection_lost(1.0), rates.with_answer_lost(1.0)] {
            world.set_faults(rates);
            assert_eq!(world.subscribe().await.unwrap_err(), "no answer");
        }
    }
}

/// A subscription shares the clock, so the clock shows whether it exists.
#[tokio::test]
async fn a_subscription_ends_with_its_client_and_with_the_server() {
    for has_tls in [false, true] {
        let world = World::start(has_tls).await;
        let before = Arc::strong_count(&world.clock);
        let subscription = world.subscribe().await.unwrap();
        assert_eq!(Arc::strong_count(&world.clock), before + 1);
        drop(subscription);
        let gone = async {
            while Arc::strong_count(&world.clock) > before {
                // The server notices that an HTTP/1.1 client is gone when it writes.
                world.put("wake").await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.unwrap();
        world.wait(5_000);
        let mut subscription = world.subscribe().await.unwrap();
        next(&mut subscription).await.unwrap().unwrap();
        let stopping = timeout(Duration::from_secs(20), world.server.shutdown());
        let (ended, stopped) = tokio::join!(next(&mut subscription), stopping);
        assert!(ended.unwrap().is_none());
        stopped.unwrap();
    }
}

/// More events are ready than the connection holds.
#[tokio::test]
async fn a_client_that_is_behind_gets_every_record() {
    for has_tls in [false, true] {
        let world = World::start(has_tls).await;
        let data = "x".repeat(900_000);
        for _ in 0..20 {
            world.put(&data).await;
        }
        let mut subscription = world.subscribe().await.unwrap();
        world.put("end").await;
        let mut read = 0;
        loop {
            let event = next(&mut subscription).await.unwrap().unwrap();
            read += event.records.len();
            if texts(&event).last() == Some(&"end") {
                break;
            }
        }
        assert_eq!(read, 21);
    }
}

#[tokio::test]
async fn the_client_of_this_crate_gets_what_the_simulator_pushes() {
    let world = World::start(false).await;
    world.put("word").await;
    let keys = StaticCredentials {
        access_key_id: Secret::new("key"),
        secret_key: Secret::new("secret"),
        session_token: None,
    };
    let settings = ConnectionSettings::default()
        .with_endpoint_url(world.server.endpoint_url())
        .with_region("us-east-1")
        .with_credentials(CredentialSettings::keys(keys));
    let client = SdkKinesis::connect(&settings).await.unwrap();
    let (consumer, shard) = (
        ConsumerArn::new(&world.consumer).unwrap(),
        ShardId::new(SHARD),
    );
    let words = StreamIdentity::parse("words").unwrap();
    let split = world.kinesis.split_shard(&words, &shard, HashKey(1 << 127));
    split.await.unwrap();
    let mut events = Vec::new();
    let both: [&dyn Kinesis; 2] = [&client, &*world.kinesis];
    for kinesis in both {
        let fan_out = kinesis.fan_out().unwrap();
        let described = fan_out.describe_consumer(ConsumerId::Arn(&consumer));
        let described = described.await.unwrap();
        let listed = fan_out.list_consumers(consumer.stream_arn(), None).await;
        assert_eq!(listed.unwrap().consumers, [described]);
        let (from, columns) = (IteratorPosition::TrimHorizon, RecordColumns::ALL);
        let subscribed = fan_out.subscribe_to_shard(&consumer, &shard, &from, columns);
        let mut subscription = subscribed.await.unwrap();
        events.push(subscription.next().await.unwrap().unwrap());
        assert!(subscription.next().await.is_none());
        let early = fan_out.subscribe_to_shard(&consumer, &shard, &from, columns);
        assert_eq!(early.await.unwrap_err().kind(), ApiErrorKind::ResourceInUse);
        world.wait(5_000);
    }
    let [theirs, ours] = events.try_into().unwrap();
    let SubscriptionEvent { page, continuation } = ours;
    assert_eq!((continuation, page.len()), (None, 1));
    assert_eq!(theirs.continuation, None);
    assert_eq!(theirs.page.children, page.children);
    assert_eq!(theirs.page.behind_latest, page.behind_latest);
    assert_eq!(theirs.page.data(), page.data());
    assert_eq!(theirs.page.sequence_number(), page.sequence_number());
    assert_eq!(theirs.page.arrival(), page.arrival());
}

/// Only a finished handshake tells that the server speaks HTTP/2.
#[tokio::test(flavor = "multi_thread")]
async fn the_subscriptions_of_many_shards_share_few_connections() {
    const SHARDS: usize = 250;
    let world = World::start(true).await;
    let create = world.client.create_stream().stream_name("many");
    let create = create.shard_count(i32::try_from(SHARDS).unwrap());
    create.send().await.unwrap();
    world.wait(60_000);
    let (address, connections) = counting(world.server.local_addr()).await;
    let certificate = folder("many-shards").join("server.pem");
    fs::write(&certificate, world.server.certificate().unwrap()).unwrap();
    let before = Arc::strong_count(&world.clock);
    let query =
        "CREATE UNBOUNDED EXTERNAL TABLE many STORED AS \"aws-kinesis\" LOCATION 'many' OPTIONS (
        'kinesis.consumerType' 'SubscribeToShard', 'kinesis.consumerName' 'sql');
        SELECT data FROM many";
    let mut client = process::client(&format!("https://{address}"));
    client
        .env("AWS_CA_BUNDLE", &certificate)
        .args(["-c", query]);
    let running = Running::spawn(&mut client);
    let subscribed = async {
        while Arc::strong_count(&world.clock) < before + SHARDS {
            // A new consumer is not active at once.
            world.wait(100);
            world.put("wait").await;
        }
    };
    timeout(Duration::from_secs(120), subscribed).await.unwrap();
    let connections = connections.load(Ordering::Relaxed);
    eprintln!("COUNT {connections}");
    running.kill();
}

/// The AWS SDK for Java sends CBOR by default, and decodes events as CBOR then.
#[tokio::test]
async fn a_request_in_cbor_is_answered_with_events_in_cbor() {
    let world = World::start(false).await;
    world.put("word").await;
    let mut body = b"\xa3\x6bConsumerARN\x78".to_vec();
    body.push(u8::try_from(world.consumer.len()).unwrap());
    body.extend(world.consumer.as_bytes());
    body.extend(b"\x67ShardId\x74shardId-000000000000");
    body.extend(b"\x70StartingPosition\xa1\x64Type\x6cTRIM_HORIZON");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-cbor-1.1\r\n\
         X-Amz-Target: Kinesis_20131202.SubscribeToShard\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = TcpStream::connect(world.server.local_addr()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&body).await.unwrap();
    let expected = b"Data\x44word";
    let mut answer = Vec::new();
    while !answer.windows(expected.len()).any(|part| part == expected) {
        let read = connection.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
    }
    let shown = String::from_utf8_lossy(&answer);
    assert!(
        shown.contains("content-type: application/vnd.amazon.eventstream"),
        "{shown}"
    );
    assert!(
        shown.contains("application/x-amz-cbor-1.1") && !shown.contains("-json-"),
        "{shown}"
    );
}
