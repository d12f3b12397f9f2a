//! `kinesis-sql consumers`: lists the consumers of a stream, and deregisters one.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use datafusion_kinesis::kinesis::{
    ApiError, ConsumerTags, EmbeddedServer, InMemoryKinesis, InMemoryOptions, Kinesis, Operation,
};
use datafusion_kinesis::model::{Clock, ConsumerName, StreamIdentity, StreamName, UnixMillis};

use crate::process::{client, command};
use crate::support::EPOCH;

const HEADER: &str = "name,status,created,query,arn\n";

/// A clock that tests move, so that consumers have a known status.
#[derive(Debug, Default)]
struct StoppedClock {
    ahead_millis: AtomicI64,
}

impl Clock for StoppedClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(EPOCH.0 + self.ahead_millis.load(Ordering::Relaxed))
    }
}

/// A server with the stream `words`.
struct World {
    clock: Arc<StoppedClock>,
    kinesis: Arc<InMemoryKinesis>,
    server: EmbeddedServer,
    arn: Arc<str>,
}

impl World {
    async fn start() -> Self {
        let options = InMemoryOptions::default()
            .with_account("111122223333")
            .with_max_shards_per_page(2);
        let clock = Arc::new(StoppedClock::default());
        let shared = Arc::<StoppedClock>::clone(&clock);
        let kinesis = Arc::new(InMemoryKinesis::new(shared, options));
        let served = Arc::<InMemoryKinesis>::clone(&kinesis);
        let server = EmbeddedServer::bind("127.0.0.1:0", served).await.unwrap();
        let name = StreamName::new("words").unwrap();
        kinesis.create_stream(&name, 1).await.unwrap();
        let stream = StreamIdentity::parse("words").unwrap();
        let arn = kinesis.describe_stream(&stream).await.unwrap().arn;
        Self {
            clock,
            kinesis,
            server,
            arn,
        }
    }

    async fn register(&self, name: &str) -> String {
        self.register_for(name, &ConsumerTags::new()).await
    }

    async fn register_for(&self, name: &str, tags: &ConsumerTags) -> String {
        let fan_out = self.kinesis.fan_out().unwrap();
        let name = ConsumerName::new(name).unwrap();
        let registered = fan_out.register_consumer(&self.arn, &name, tags);
        registered.await.unwrap().arn.to_string()
    }

    /// Lets consumers become active, or disappear.
    fn wait(&self) {
        self.clock.ahead_millis.fetch_add(60_000, Ordering::Relaxed);
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let url = self.server.endpoint_url();
        let mut command = command();
        let with_keys = client(&url);
        for (name, value) in with_keys.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.arg("consumers").args(arguments);
        command.args(["--endpoint-url", &url, "--region", "us-east-1"]);
        let running = tokio::task::spawn_blocking(move || command.output());
        running.await.unwrap().unwrap()
    }

    /// What a run prints that must succeed: to stdout and stderr.
    async fn said(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments).await;
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
        (stdout, stderr)
    }

    /// The consumers in CSV.
    async fn csv(&self) -> String {
        let (printed, said) = self.said(&["--stream", "words", "--output", "csv"]).await;
        assert_eq!(said, "");
        printed
    }

    /// The message of a run that must fail.
    async fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(stdout, "");
        stderr
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_listed_in_each_format() {
    let world = World::start().await;
    let mut arns = Vec::new();
    let mut expected = HEADER.to_owned();
    for name in ["a", "b", "c", "d", "e"] {
        let arn = world.register(name).await;
        expected.push_str(&format!("{name},CREATING,2023-11-14T22:13:20Z,,{arn}\n"));
        arns.push(arn);
    }
    assert_eq!(world.csv().await, expected);
    assert_eq!(world.kinesis.calls(Operation::ListStreamConsumers), 3);

    let by_arn = ["--stream", &world.arn, "--output", "json"];
    let (json, _) = world.said(&by_arn).await;
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["arn"], arns[0].as_str());
    assert!(first["created"].as_str().unwrap().ends_with('Z'), "{json}");
    let (table, _) = world.said(&["--stream", "words"]).await;
    assert!(
        table.contains("name") && table.contains(&arns[4]),
        "{table}"
    );
    let (records, _) = world.said(&["--stream", "words", "--expanded"]).await;
    assert!(records.contains(&arns[4]), "{records}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_consumers_has_an_empty_list() {
    let world = World::start().await;
    assert_eq!(world.csv().await, HEADER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_shows_which_query_registered_it() {
    let world = World::start().await;
    let tags = [("datafusion-kinesis/query", "7a1e"), ("team", "alarms")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let alarms = world.register_for("alarms", &tags.into()).await;
    let others = world.register("others").await;
    let created = "CREATING,2023-11-14T22:13:20Z";
    let expected = format!("{HEADER}alarms,{created},7a1e,{alarms}\nothers,{created},,{others}\n");
    assert_eq!(world.csv().await, expected);

    let call = Operation::ListTagsForResource;
    let denied = ApiError::from_code(call, "AccessDeniedException", "not allowed");
    world.kinesis.fail_next(call, denied);
    let listed = ["--stream", "words", "--output", "csv"];
    let (printed, said) = world.said(&listed).await;
    let expected = format!("{HEADER}alarms,{created},,{alarms}\nothers,{created},,{others}\n");
    assert_eq!(printed, expected);
    for part in ["'query'", "ListTagsForResource", "AccessDenied"] {
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_consumer_is_deregistered() {
    let world = World::start().await;
    let arn = world.register("alarms").await;
    world.register("others").await;
    world.wait();
    assert_eq!(world.csv().await.matches(",ACTIVE,").count(), 2);
    let deregister = ["--stream", "words", "--deregister", "alarms"];
    let (printed, said) = world.said(&deregister).await;
    assert_eq!(printed, "");
    let expected = "deregistered consumer 'alarms', which is deleted within seconds";
    assert_eq!(said, format!("{expected}: {arn}\n"));
    let csv = world.csv().await;
    assert!(
        csv.contains("\nalarms,DELETING,") && csv.contains("\nothers,ACTIVE,"),
        "{csv}"
    );

    let (_, said) = world.said(&deregister).await;
    assert!(
        said.contains("'alarms' has been deregistered before"),
        "{said}"
    );
    assert_eq!(world.kinesis.calls(Operation::DeregisterStreamConsumer), 1);
    world.wait();
    let csv = world.csv().await;
    assert!(
        !csv.contains("alarms") && csv.contains("\nothers,ACTIVE,"),
        "{csv}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_named() {
    let world = World::start().await;
    let deregister = ["--stream", "words", "--deregister", "alarm"];
    let message = world.refused(&deregister).await;
    assert!(message.ends_with("it has none\n"), "{message}");
    world.register("alarms").await;
    world.register("others").await;
    let message = world.refused(&deregister).await;
    let expected = "'alarm' does not exist in arn:aws:kinesis:us-east-1:111122223333:stream/words: \
                    expected one of 'alarms', 'others'\n";
    assert!(message.ends_with(expected), "{message}");
    let message = world.refused(&["--stream", "word"]).await;
    for part in ["stream 'word' does not exist", "'--region'"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(world.kinesis.calls(Operation::DeregisterStreamConsumer), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_those_of_the_connection() {
    let world = World::start().await;
    let with = |option: &'static str| ["--stream", "words", "-o", option];
    world.said(&with("kinesis.kinesisRegion=us-east-1")).await;
    for (option, expected) in [
        (
            "kinesis.format=json",
            "'kinesis.format': expected an option of the connection",
        ),
        ("kinesis.stsSesionName=x", "'kinesis.stsSessionName'"),
        ("canary", "expected NAME=VALUE"),
        ("kinesis.awsSecretKey=canary", "kinesis.awsAccessKeyId"),
    ] {
        let message = world.refused(&with(option)).await;
        assert!(
            message.contains(expected) && !message.contains("canary"),
            "{option}: {message}"
        );
    }
}
