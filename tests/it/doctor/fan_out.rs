//! What the doctor finds about enhanced fan-out.

use std::sync::Arc;

use datafusion_kinesis::kinesis::{
    ConsumerId, ConsumerStatus, ConsumerTags, InMemoryKinesis, Kinesis,
};
use datafusion_kinesis::model::{ConsumerArn, ConsumerName, StreamIdentity};

use super::{AWAY, Fixture, marked, problem};

/// The account of the stream `words`, whose consumers are checked.
struct Consumers {
    kinesis: Arc<InMemoryKinesis>,
    stream_arn: Arc<str>,
}

impl Consumers {
    async fn of(fixture: &Fixture) -> Self {
        let kinesis = fixture.accounts.kinesis(AWAY).await;
        let stream = StreamIdentity::parse("words").unwrap();
        let stream_arn = kinesis.describe_stream(&stream).await.unwrap().arn;
        Self {
            kinesis,
            stream_arn,
        }
    }

    async fn register(&self, name: &str) -> ConsumerArn {
        let fan_out = self.kinesis.fan_out().unwrap();
        let name = ConsumerName::new(name).unwrap();
        let no_tags = ConsumerTags::new();
        let registered = fan_out.register_consumer(&self.stream_arn, &name, &no_tags);
        registered.await.unwrap().arn
    }

    /// Registers a consumer and waits until it is active.
    async fn active(&self, name: &str) -> ConsumerArn {
        let arn = self.register(name).await;
        let fan_out = self.kinesis.fan_out().unwrap();
        loop {
            let consumer = fan_out.describe_consumer(ConsumerId::Arn(&arn)).await;
            if consumer.unwrap().status == ConsumerStatus::Active {
                return arn;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The statements of the fixture, with fan-out and further options of the table that is read.
fn statements(fixture: &Fixture, options: &str) -> String {
    let statements = fixture.statements(&fixture.folder.join("checkpoint"));
    let options = format!("OPTIONS ('kinesis.consumerType' 'fan-out', {options}, ");
    statements.replace("OPTIONS (", &options)
}

const NAMED: &str = "'kinesis.consumerName' 'alarms'";
const EXTERNAL: &str = "'kinesis.consumerName' 'alarms', 'kinesis.consumerLifecycle' 'external'";

/// The line of a check.
fn line<'a>(said: &'a str, mark: char, check: &str) -> &'a str {
    let start = format!("{mark} {check} ");
    let lines = marked(said, mark);
    let found = lines.into_iter().find(|line| line.starts_with(&start));
    found.unwrap_or_else(|| panic!("no {start:?}: {said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_a_start_registers_is_no_problem() {
    let fixture = Fixture::new("fan-out").await;
    let stream_arn = Consumers::of(&fixture).await.stream_arn;
    let (said, code) = fixture.doctor(&statements(&fixture, NAMED));
    assert_eq!(code, Some(0), "{said}");
    let consumer = line(&said, '–', "consumer");
    assert!(
        consumer.contains("'alarms' does not exist")
            && consumer.contains("kinesis:RegisterStreamConsumer"),
        "{consumer}"
    );
    let count = line(&said, '✓', "consumers");
    assert!(count.contains("0 of at most 20"), "{count}");
    let unchecked = line(&said, '–', "SubscribeToShard");
    assert!(
        unchecked.ends_with(&format!(
            "kinesis:SubscribeToShard, kinesis:DeregisterStreamConsumer, kinesis:TagResource and \
             kinesis:ListTagsForResource on {stream_arn}/consumer/*, and \
             kinesis:RegisterStreamConsumer on the stream"
        )),
        "{unchecked}"
    );
    let costs = line(&said, '–', "costs");
    assert!(costs.contains("each of its 2 open shards"), "{costs}");
    // The first page of each shard is polled.
    for check in ["GetShardIterator", "GetRecords"] {
        assert!(said.contains(&format!("✓ {check}")), "{said}");
    }
    for action in ["RegisterStreamConsumer", "SubscribeToShard"] {
        assert_eq!(fixture.accounts.calls(AWAY, action), 0, "{action}");
    }
    let reused = format!("{NAMED}, 'kinesis.consumerLifecycle' 'reuse'");
    let (said, _) = fixture.doctor(&statements(&fixture, &reused));
    let unchecked = line(&said, '–', "SubscribeToShard");
    assert!(
        unchecked.contains("RegisterStreamConsumer") && !unchecked.contains("Deregister"),
        "{unchecked}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_consumer_must_exist() {
    let fixture = Fixture::new("fan-out-external").await;
    let external = statements(&fixture, EXTERNAL);
    let found = problem(&fixture, &external);
    assert!(
        found.starts_with("✗ consumer ")
            && found.contains("'alarms' does not exist")
            && found.contains("register it"),
        "{found}"
    );
    let consumers = Consumers::of(&fixture).await;
    let arn = consumers.active("alarms").await;
    let by_arn = statements(&fixture, &format!("'kinesis.consumerArn' '{arn}'"));
    for statements in [&external, &by_arn] {
        let (said, code) = fixture.doctor(statements);
        assert_eq!(code, Some(0), "{said}");
        let consumer = line(&said, '✓', "consumer");
        assert!(
            consumer.ends_with(&format!("'alarms' is active: {arn}")),
            "{consumer}"
        );
        let count = line(&said, '✓', "consumers");
        assert!(count.contains("1 of at most 20"), "{count}");
        let unchecked = line(&said, '–', "SubscribeToShard");
        assert!(!unchecked.contains("Register"), "{unchecked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_room_for_a_consumer_is_found() {
    let fixture = Fixture::new("fan-out-quota").await;
    let consumers = Consumers::of(&fixture).await;
    for number in 0..20 {
        consumers.active(&format!("consumer-{number}")).await;
    }
    let found = problem(&fixture, &statements(&fixture, NAMED));
    assert!(
        found.starts_with("✗ consumers ")
            && found.contains("20 of at most 20")
            && found.contains("kinesis-sql consumers"),
        "{found}"
    );
    let existing = statements(&fixture, "'kinesis.consumerName' 'consumer-7'");
    let (said, code) = fixture.doctor(&existing);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_calls_of_fan_out_are_found() {
    let fixture = Fixture::new("fan-out-denied").await;
    let statements = statements(&fixture, NAMED);
    let action = "kinesis:DescribeStreamConsumer";
    fixture.accounts.deny(&fixture.role, action);
    let found = problem(&fixture, &statements);
    assert!(
        found.starts_with("✗ consumer ") && found.contains(action),
        "{found}"
    );
    fixture.accounts.allow(&fixture.role, action);
    // Counting is the doctor's wish alone.
    let action = "kinesis:ListStreamConsumers";
    fixture.accounts.deny(&fixture.role, action);
    let (said, code) = fixture.doctor(&statements);
    assert_eq!(code, Some(0), "{said}");
    let count = line(&said, '–', "consumers");
    assert!(
        count.contains("not counted") && count.contains(action),
        "{count}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_ends_by_itself_needs_no_consumer() {
    let fixture = Fixture::new("fan-out-unused").await;
    let statements = statements(&fixture, EXTERNAL);
    for trigger in ["available now", "once"] {
        let ending = format!("SET streaming.trigger = '{trigger}'; {statements}");
        let (said, code) = fixture.doctor(&ending);
        assert_eq!(code, Some(0), "{said}");
        let consumer = line(&said, '–', "consumer");
        assert!(consumer.contains("not used"), "{consumer}");
    }
    // What no statement reads is checked all the same.
    let (create, _) = statements.split_once(';').unwrap();
    let found = problem(&fixture, create);
    assert!(found.contains("'alarms' does not exist"), "{found}");
}
