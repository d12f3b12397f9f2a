//! Readers of subscriptions that follow a script.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::kinesis::{
    ApiError, ApiResult, ChildShard, ConsumerId, ConsumerStatus, ConsumerSummary, ConsumerTags,
    ConsumersPage, FanOut, IteratorPosition, NextToken, RecordsPageBuilder, Subscription,
    SubscriptionEvent,
};
use crate::model::{ConsumerArn, ConsumerName};
use crate::source::test_service::TestService;
use crate::source::{ConsumerChoice, StreamConsumer, SubscribedSettings};

const SECOND: Duration = Duration::from_secs(1);

/// What a subscription does next. After its last step it ends.
#[derive(Debug)]
enum Step {
    Event(Box<SubscriptionEvent>),
    Wait(Duration),
    Fail(&'static str),
    /// Nothing comes any more.
    Silence,
    /// As the only step: the service does not accept the subscription.
    Refuse(&'static str),
}

/// An event with records of these numbers, and where the next subscription continues; `None` if it does not say.
fn event(numbers: &[u64], continuation: Option<u64>) -> SubscriptionEvent {
    let sequence = |number: u64| SequenceNumber::new(&number.to_string()).unwrap();
    let mut page = RecordsPageBuilder::with_capacity(RecordColumns::ALL, numbers.len(), 0);
    for number in numbers {
        let text = number.to_string();
        page.push(text.as_bytes(), Some("k"), &text, Some(START));
    }
    let last = numbers.last().map(|number| sequence(*number));
    SubscriptionEvent {
        page: page.finish(last, None, Some(Duration::ZERO), Vec::new()),
        continuation: continuation.map(sequence),
    }
}

fn step(numbers: &[u64], continuation: u64) -> Step {
    Step::Event(Box::new(event(numbers, Some(continuation))))
}

/// Subscriptions with scripts, in the order of the calls, and the calls.
#[derive(Debug, Default)]
struct Scripts {
    scripts: Mutex<VecDeque<Vec<Step>>>,
    calls: Mutex<Vec<(Instant, String)>>,
    dropped: Arc<Mutex<Vec<Instant>>>,
}

#[derive(Debug)]
struct Scripted {
    steps: VecDeque<Step>,
    until: Option<Instant>,
    dropped: Arc<Mutex<Vec<Instant>>>,
}

#[async_trait]
impl Subscription for Scripted {
    async fn next(&mut self) -> Option<ApiResult<SubscriptionEvent>> {
        loop {
            match self.steps.front()? {
                Step::Silence | Step::Refuse(_) => return pending().await,
                Step::Wait(time) => {
                    let until = *self.until.get_or_insert_with(|| Instant::now() + *time);
                    sleep_until(until).await;
                    self.until = None;
                    self.steps.pop_front();
                }
                Step::Fail(code) => {
                    let error = ApiError::from_code(Operation::SubscribeToShard, code, "scripted");
                    self.steps.clear();
                    return Some(Err(error));
                }
                Step::Event(_) => {
                    let Some(Step::Event(event)) = self.steps.pop_front() else {
                        unreachable!("it is an event");
                    };
                    return Some(Ok(*event));
                }
            }
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.dropped.lock().unwrap().push(Instant::now());
    }
}

#[async_trait]
impl FanOut for Scripts {
    async fn register_consumer(
        &self,
        arn: &str,
        name: &ConsumerName,
        _: &ConsumerTags,
    ) -> ApiResult<ConsumerSummary> {
        let arn = ConsumerArn::new(&format!("{arn}/consumer/{name}:1")).unwrap();
        let status = ConsumerStatus::Active;
        Ok(ConsumerSummary::new(name.clone(), arn, status, START))
    }

    async fn describe_consumer(&self, consumer: ConsumerId<'_>) -> ApiResult<ConsumerSummary> {
        let (arn, name) = match consumer {
            ConsumerId::Arn(arn) => (arn.stream_arn().to_owned(), arn.name()),
            ConsumerId::Name(arn, name) => (arn.to_owned(), name.clone()),
        };
        self.register_consumer(&arn, &name, &ConsumerTags::new())
            .await
    }

    async fn consumer_tags(&self, _: &ConsumerArn) -> ApiResult<ConsumerTags> {
        Ok(ConsumerTags::new())
    }

    async fn list_consumers(&self, _: &str, _: Option<&NextToken>) -> ApiResult<ConsumersPage> {
        Ok(ConsumersPage {
            consumers: Vec::new(),
            next: None,
        })
    }

    async fn deregister_consumer(&self, _: &ConsumerArn) -> ApiResult<()> {
        Ok(())
    }

    async fn subscribe_to_shard(
        &self,
        _: &ConsumerArn,
        shard: &ShardId,
        position: &IteratorPosition,
        _: RecordColumns,
    ) -> ApiResult<Box<dyn Subscription>> {
        let at = match position {
            IteratorPosition::After(number) => format!("after {number}"),
            IteratorPosition::At(number) => format!("at {number}"),
            other => format!("{other:?}"),
        };
        self.calls.lock().unwrap().push((Instant::now(), at));
        let script = self.scripts.lock().unwrap().pop_front();
        if let Some([Step::Refuse(code)]) = script.as_deref() {
            let call = Operation::SubscribeToShard;
            return Err(ApiError::from_code(call, code, "scripted"));
        }
        match script {
            Some(script) => Ok(Box::new(Scripted {
                steps: script.into(),
                until: None,
                dropped: Arc::clone(&self.dropped),
            })),
            None => Err(ApiError::from_code(
                Operation::SubscribeToShard,
                "ResourceInUseException",
                format!("no script for {shard}"),
            )),
        }
    }
}

struct World {
    fixture: Fixture,
    scripts: Arc<Scripts>,
    reader: StreamReader,
}

impl World {
    /// A stream with one empty shard, and a reader of it.
    async fn with<const N: usize>(scripts: [Vec<Step>; N]) -> Self {
        Self::over(Fixture::with_shards(1).await, scripts).await
    }

    async fn over<const N: usize>(mut fixture: Fixture, scripts: [Vec<Step>; N]) -> Self {
        let scripts = Arc::new(Scripts {
            scripts: Mutex::new(scripts.into()),
            ..Scripts::default()
        });
        let service = Arc::new(TestService {
            fan_out: Some(Arc::<Scripts>::clone(&scripts)),
            ..TestService::over(&fixture.kinesis)
        });
        let options = crate::options::FanOutOptions {
            consumer: ConsumerName::new("sql").unwrap(),
            arn: None,
            lifecycle: crate::model::ConsumerLifecycle::Managed,
            timeout: SECOND,
            max_retries: 100,
            auto_max_lag: None,
        };
        let arn = fixture.kinesis.describe_stream(&fixture.stream).await;
        let context = fixture.context(Arc::<TestService>::clone(&service) as _);
        let random = fastrand::Rng::with_seed(7);
        let consumer = StreamConsumer::start(&context, arn.unwrap().arn, &options, None, random);
        let consumer = consumer.await;
        fixture.settings.subscribed = Some(SubscribedSettings {
            consumer: ConsumerChoice::Always(Arc::new(consumer.unwrap())),
            timeout: options.timeout,
            max_retries: options.max_retries,
        });
        let reader = fixture.read_through(service, from_trim_horizon()).await;
        Self {
            fixture,
            scripts,
            reader,
        }
    }

    /// Where subscriptions began so far.
    fn calls(&self) -> Vec<String> {
        let calls = self.scripts.calls.lock().unwrap();
        calls.iter().map(|(_, at)| at.clone()).collect()
    }

    /// The time between the first two calls.
    fn distance(&self) -> Duration {
        let calls = self.scripts.calls.lock().unwrap();
        calls[1].0 - calls[0].0
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_subscription_begins_after_the_continuation_of_the_last_event() {
    let world = World::with([
        vec![step(&[5, 7], 7), step(&[], 19)],
        vec![step(&[21], 21), Step::Silence],
    ])
    .await;
    assert_eq!(world.reader.rows(3).await, ["5", "7", "21"]);
    assert_eq!(world.calls(), ["TrimHorizon", "after 19"]);
    assert!(world.distance() >= 5 * SECOND, "{:?}", world.distance());
    // The log has numbers of records only.
    let ends = world.reader.take().ranges.ends();
    assert_eq!(ends[&shard(0)].to_string(), "AFTER 21");
}

/// A reader that kept the broken subscription waited for ever (FLINK-38814).
#[tokio::test(start_paused = true)]
async fn an_error_in_the_stream_begins_another_subscription() {
    for code in [
        "InternalFailureException",
        "ResourceInUseException",
        "KMSThrottlingException",
    ] {
        let world = World::with([
            vec![step(&[5], 5), Step::Fail(code)],
            vec![step(&[6], 6), Step::Silence],
        ])
        .await;
        assert_eq!(world.reader.rows(2).await, ["5", "6"], "{code}");
        assert_eq!(world.calls(), ["TrimHorizon", "after 5"]);
        assert_eq!(world.scripts.dropped.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_subscription_is_given_up_after_35_seconds() {
    let world = World::with([
        vec![
            step(&[5], 5),
            Step::Wait(34 * SECOND),
            step(&[6], 6),
            Step::Silence,
        ],
        vec![step(&[7], 7), Step::Silence],
    ])
    .await;
    assert_eq!(world.reader.rows(3).await, ["5", "6", "7"]);
    assert_eq!(world.calls(), ["TrimHorizon", "after 6"]);
    let distance = world.distance();
    assert!(
        (69 * SECOND..75 * SECOND).contains(&distance),
        "{distance:?}"
    );
}

/// The shard was thought to have ended (rusoto#1963).
#[tokio::test(start_paused = true)]
async fn an_event_without_continuation_and_children_does_not_end_the_shard() {
    let unsaid = |numbers: &[u64]| Step::Event(Box::new(event(numbers, None)));
    let world = World::with([
        vec![step(&[5], 6), unsaid(&[])],
        vec![unsaid(&[8]), step(&[9], 9)],
        vec![step(&[10], 10), Step::Silence],
    ])
    .await;
    assert_eq!(world.reader.rows(3).await, ["5", "8", "10"]);
    assert_eq!(world.calls(), ["TrimHorizon", "after 6", "after 8"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_event_names_the_children_which_are_read_next() {
    let mut last = event(&[6], None);
    last.page.children = [1, 2]
        .map(|child| ChildShard {
            id: shard(child),
            parents: vec![shard(0)],
            hash_range: crate::model::HashRange::ALL,
        })
        .into();
    let fixture = Fixture::with_shards(1).await;
    let world = World::over(
        fixture,
        [
            vec![step(&[5], 5), Step::Event(Box::new(last))],
            vec![step(&[11], 11), Step::Silence],
            vec![step(&[12], 12), Step::Silence],
        ],
    )
    .await;
    assert_eq!(world.reader.rows(2).await, ["5", "6"]);
    world.fixture.split_the_only_shard().await;
    let mut rows = world.reader.rows(2).await;
    rows.sort();
    assert_eq!(rows, ["11", "12"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_holds_a_subscription_unread() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.buffer_max_bytes = 1_000;
    let many: Vec<u64> = (100..400).collect();
    let world = World::over(
        fixture,
        [
            vec![step(&many, 399), step(&[500], 500), Step::Silence],
            vec![step(&[501], 501), Step::Silence],
        ],
    )
    .await;
    sleep(10 * SECOND).await;
    let dropped = world.scripts.dropped.lock().unwrap().len();
    assert_eq!(dropped, 1, "the buffer is full");
    assert_eq!(world.reader.rows(301).await.last().unwrap(), "501");
    assert_eq!(world.calls(), ["TrimHorizon", "after 399"]);
}

/// An event that was already there when its reader came may be old.
#[tokio::test(start_paused = true)]
async fn a_wait_for_an_event_shows_up_to_when_everything_was_read() {
    let mut steps = vec![step(&[], 1), Step::Wait(SECOND), step(&[], 2)];
    for number in 3..6 {
        steps.extend([Step::Wait(5 * SECOND), step(&[], number)]);
    }
    steps.push(Step::Silence);
    let world = World::with([steps]).await;
    let began = world.fixture.now();
    sleep(2 * SECOND).await;
    let read_to = world.reader.take().ranges.read_to.unwrap();
    assert!(read_to <= began, "{read_to} {began}");
    sleep(15 * SECOND).await;
    let read_to = world.reader.take().ranges.read_to.unwrap();
    let told = read_to.since(began);
    // The last wait began after eleven seconds.
    assert!((5 * SECOND..=6 * SECOND).contains(&told), "{told:?}");
}

/// It may be the first of several that were pushed for one moment.
#[tokio::test(start_paused = true)]
async fn an_event_with_records_does_not_show_that_there_are_no_more() {
    let wait = || Step::Wait(10 * SECOND);
    let world = World::with([vec![
        wait(),
        step(&[], 1),
        wait(),
        step(&[5], 5),
        Step::Silence,
    ]])
    .await;
    let began = world.fixture.now();
    assert_eq!(world.reader.rows(1).await, ["5"]);
    let read_to = world.reader.take().ranges.read_to.unwrap();
    assert!(read_to <= began, "{read_to} {began}");
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_tells_nothing_because_an_event_may_have_been_on_the_way() {
    let world = World::with([vec![
        Step::Wait(10 * SECOND),
        step(&[], 1),
        Step::Wait(SECOND),
        step(&[], 2),
        Step::Silence,
    ]])
    .await;
    let began = world.fixture.now();
    sleep(12 * SECOND).await;
    let read_to = world.reader.take().ranges.read_to.unwrap();
    assert!(read_to <= began, "{read_to} {began}");
}

#[tokio::test(start_paused = true)]
async fn a_continuation_that_the_service_refuses_is_replaced_by_the_position() {
    let world = World::with([
        vec![step(&[], 19)],
        vec![Step::Refuse("InvalidArgumentException")],
        vec![step(&[5], 5), step(&[], 20)],
        vec![Step::Refuse("InvalidArgumentException")],
        vec![step(&[6], 6), Step::Silence],
    ])
    .await;
    assert_eq!(world.reader.rows(2).await, ["5", "6"]);
    let expected = [
        "TrimHorizon",
        "after 19",
        "TrimHorizon",
        "after 20",
        "after 5",
    ];
    assert_eq!(world.calls(), expected);
}
