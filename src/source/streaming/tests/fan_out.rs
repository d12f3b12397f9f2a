//! Readers that subscribe to shards.

use super::*;
use crate::kinesis::{ApiError, ApiErrorKind, ConsumerId, ConsumerTags, FanOut, IteratorPosition};
use crate::model::{ConsumerArn, ConsumerLifecycle, ConsumerName};
use crate::options::FanOutOptions;
use crate::source::{ConsumerChoice, StreamConsumer, SubscribedSettings};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn name(text: &str) -> ConsumerName {
    ConsumerName::new(text).unwrap()
}

impl Fixture {
    pub(super) async fn stream_arn(&self) -> Arc<str> {
        let described = self.kinesis.describe_stream(&self.stream).await;
        described.unwrap().arn
    }

    fn fan_out(&self) -> &dyn FanOut {
        self.kinesis.fan_out().unwrap()
    }

    async fn consumer_with(&self, lifecycle: ConsumerLifecycle) -> Result<StreamConsumer> {
        let options = FanOutOptions {
            consumer: name("sql"),
            arn: None,
            lifecycle,
            timeout: MINUTE,
            max_retries: 3,
            auto_max_lag: None,
        };
        let service: Arc<dyn Kinesis> = Arc::<InMemoryKinesis>::clone(&self.kinesis);
        let (context, arn) = (self.context(service), self.stream_arn().await);
        let random = fastrand::Rng::with_seed(7);
        StreamConsumer::start(&context, arn, &options, None, random).await
    }

    /// Lets readers subscribe.
    pub(super) async fn subscribing(mut self) -> Self {
        let consumer = self.consumer_with(ConsumerLifecycle::Managed).await;
        self.settings.subscribed = Some(SubscribedSettings {
            consumer: ConsumerChoice::Always(Arc::new(consumer.unwrap())),
            timeout: MINUTE,
            max_retries: 3,
        });
        self
    }

    /// The consumer, if it exists.
    pub(super) async fn consumer(&self) -> Option<ConsumerArn> {
        let (arn, name) = (self.stream_arn().await, name("sql"));
        let described = self
            .fan_out()
            .describe_consumer(ConsumerId::Name(&arn, &name));
        described.await.ok().map(|consumer| consumer.arn)
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_records_takes_one_get_records_and_a_subscription_every_five_minutes() {
    let fixture = Fixture::with_shards(1).await.subscribing().await;
    let reader = fixture.read_all().await;
    let mut rows = Vec::new();
    for text in numbers(360) {
        fixture.put(&text).await;
        let put = Instant::now();
        let next = reader.next_rows().await;
        // While it subscribes again, records wait.
        assert!(put.elapsed() < Duration::from_secs(6), "{text}");
        rows.extend(next);
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(rows, numbers(360));
    assert_eq!(fixture.kinesis.calls(Operation::GetRecords), 1);
    let subscriptions = fixture.kinesis.calls(Operation::SubscribeToShard);
    assert!((12..=13).contains(&subscriptions), "{subscriptions}");
}

#[tokio::test(start_paused = true)]
async fn records_are_pushed_at_once() {
    let fixture = Fixture::with_shards(2).await.subscribing().await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(7)).await;
    for text in numbers(20) {
        fixture.put(&text).await;
        let put = Instant::now();
        assert_eq!(reader.next_rows().await, [text]);
        assert!(put.elapsed() <= Duration::from_millis(10));
        sleep(Duration::from_millis(70)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_doubled_under_random_splits_merges_and_faults() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fixture = Fixture::with_shards(2).await.subscribing().await;
        let subscribed = fixture.settings.subscribed.as_mut().unwrap();
        subscribed.max_retries = 100;
        let reader = fixture.read_all().await;
        let mut rows = Vec::new();
        for number in 0..300 {
            let key = random.u32(0..50);
            fixture.put(&format!("{key} {number}")).await;
            if random.u32(0..40) == 0 {
                let shards = random.u32(1..6);
                let _ = fixture
                    .kinesis
                    .update_shard_count(&fixture.stream, shards)
                    .await;
            }
            if random.u32(0..30) == 0 {
                let code = match random.u32(0..3) {
                    0 => "ResourceInUseException",
                    1 => "InternalFailureException",
                    _ => "LimitExceededException",
                };
                let call = Operation::SubscribeToShard;
                let error = ApiError::from_code(call, code, "scripted");
                match random.bool() {
                    true => fixture.kinesis.fail_next(call, error),
                    false => fixture.kinesis.fail_next_event(error),
                }
            }
            if random.bool() {
                sleep(Duration::from_millis(random.u64(0..4_000))).await;
            }
            if reader.readiness(Instant::now()).unwrap() == Readiness::Ready {
                rows.extend(reader.next_rows().await);
            }
        }
        rows.extend(reader.rows(300 - rows.len()).await);
        let mut seen: Vec<u32> = rows
            .iter()
            .map(|row| row.split(' ').nth(1).unwrap().parse().unwrap())
            .collect();
        // The rows of a key keep their order.
        for key in 0..50 {
            let prefix = format!("{key} ");
            let of_key = rows.iter().filter_map(|row| row.strip_prefix(&prefix));
            let of_key: Vec<u32> = of_key.map(|number| number.parse().unwrap()).collect();
            assert!(of_key.is_sorted(), "seed {seed}: {of_key:?}");
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..300).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(reader.losses(), 0);
    }
}

/// The connector hung there, or read everything again (awslabs/spark-sql-kinesis-connector#91).
#[tokio::test(start_paused = true)]
async fn an_idle_shard_reads_on_after_days_and_a_restart_reads_nothing_twice() {
    let mut fixture = Fixture::with_shards(1).await.subscribing().await;
    fixture.options.fail_on_data_loss = true;
    fixture.put("k old").await;
    let reader = fixture.read_all().await;
    assert_eq!(reader.next_rows().await, ["k old"]);
    sleep(3 * 24 * 60 * MINUTE).await;
    fixture.put("k new").await;
    let batch = reader.next().await;
    assert_eq!(rows_of(&batch), ["k new"]);
    reader.release(&batch.ranges.ends());
    sleep(24 * 60 * MINUTE).await;
    // The log of an idle query moves on with empty batches.
    let idle = reader.take().ranges;
    let read_to = idle.read_to.unwrap();
    assert!(fixture.now().since(read_to) < MINUTE, "{read_to}");
    drop(reader);
    sleep(60 * MINUTE).await;
    let reader = fixture
        .read(StreamStart::Resume {
            offsets: idle.ends(),
            read_to: idle.read_to,
            retention: idle.retention,
        })
        .await;
    fixture.put("k last").await;
    assert_eq!(reader.next_rows().await, ["k last"]);
    assert_eq!(reader.losses(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_drops_the_subscription_and_loses_nothing() {
    let mut fixture = Fixture::with_shards(1).await.subscribing().await;
    fixture.options.buffer_max_bytes = 50_000;
    let reader = fixture.read_all().await;
    let text = |number: usize| format!("k {number} {}", "x".repeat(1_000));
    for number in 0..300 {
        fixture.put(&text(number)).await;
    }
    // Nobody reads for longer than a subscription lasts.
    sleep(10 * MINUTE).await;
    let held = reader.status().buffered_rows;
    assert!(held < 250, "{held}");
    let expected: Vec<_> = (0..300).map(text).collect();
    assert_eq!(reader.rows(300).await, expected);
}

#[tokio::test(start_paused = true)]
async fn another_reader_of_the_consumer_is_named_and_ends_the_query_only_after_all_retries() {
    let fixture = Fixture::with_shards(1).await.subscribing().await;
    let reader = fixture.read_all().await;
    sleep(MINUTE).await;
    let consumer = fixture.consumer().await.unwrap();
    // A reader that subscribes again whenever it may, and reads nothing in between.
    let mut other = None;
    let error = loop {
        let (shard, latest) = (shard(0), IteratorPosition::Latest);
        let columns = RecordColumns::DATA_ONLY;
        let subscribed = fixture
            .fan_out()
            .subscribe_to_shard(&consumer, &shard, &latest, columns);
        if let Ok(subscription) = subscribed.await {
            other = Some(subscription);
        }
        sleep(Duration::from_millis(100)).await;
        if let Err(error) = reader.readiness(Instant::now()) {
            break error.to_string();
        }
    };
    drop(other);
    for part in [
        "another reader may have subscribed as consumer 'sql'",
        "'kinesis.subscribeToShard.maxRetries' = 3",
        "shardId-000000000000",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_network_passes_and_a_refusal_ends_the_query_after_all_retries() {
    for (code, passes) in [
        (ApiError::CONNECTION_FAILURE, true),
        (ApiError::NO_CREDENTIALS, true),
        ("InternalFailureException", false),
    ] {
        let fixture = Fixture::with_shards(1).await.subscribing().await;
        let reader = fixture.read_all().await;
        sleep(MINUTE).await;
        let call = Operation::SubscribeToShard;
        let error = || ApiError::new(ApiErrorKind::Unavailable, call, code, "scripted");
        for _ in 0..20 {
            fixture.kinesis.fail_next(call, error());
        }
        fixture.kinesis.fail_next_event(error());
        fixture.put("k 1").await;
        sleep(10 * MINUTE).await;
        assert_eq!(reader.readiness(Instant::now()).is_ok(), passes, "{code}");
        if passes {
            assert_eq!(reader.next_rows().await, ["k 1"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deregistered_consumer_is_registered_again_once() {
    let fixture = Fixture::with_shards(2).await.subscribing().await;
    let reader = fixture.read_all().await;
    sleep(MINUTE).await;
    let first = fixture.consumer().await.unwrap();
    fixture.fan_out().deregister_consumer(&first).await.unwrap();
    sleep(MINUTE).await;
    fixture.put("k 1").await;
    assert_eq!(reader.next_rows().await, ["k 1"]);
    let second = fixture.consumer().await.unwrap();
    assert_ne!(second, first);
    fixture
        .fan_out()
        .deregister_consumer(&second)
        .await
        .unwrap();
    sleep(MINUTE).await;
    let error = reader.readiness(Instant::now()).unwrap_err().to_string();
    assert!(error.contains("consumer 'sql' was deregistered"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_deregistered_by_the_query_that_registered_it() {
    use ConsumerLifecycle::{External, Managed, Reuse};
    let fixture = Fixture::with_shards(1).await;
    let missing = fixture
        .consumer_with(External)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("consumer 'sql'") && missing.contains("does not exist"),
        "{missing}"
    );
    let reusing = fixture.consumer_with(Reuse).await.unwrap();
    let managed = fixture.consumer_with(Managed).await.unwrap();
    let external = fixture.consumer_with(External).await.unwrap();
    for consumer in [reusing, managed, external] {
        consumer.end(fastrand::Rng::with_seed(7)).await;
        assert!(fixture.consumer().await.is_some());
    }
    let arn = fixture.consumer().await.unwrap();
    fixture.fan_out().deregister_consumer(&arn).await.unwrap();
    // It is still being deleted, which the start waits for.
    let managed = fixture.consumer_with(Managed).await.unwrap();
    assert_ne!(fixture.consumer().await.unwrap(), arn);
    managed.end(fastrand::Rng::with_seed(7)).await;
    sleep(MINUTE).await;
    assert_eq!(fixture.consumer().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_twenty_first_consumer_is_refused_with_advice() {
    let fixture = Fixture::with_shards(1).await;
    let arn = fixture.stream_arn().await;
    let no_tags = ConsumerTags::new();
    for number in 0..20 {
        let name = name(&format!("other-{number}"));
        let fan_out = fixture.fan_out();
        let registered = fan_out.register_consumer(&arn, &name, &no_tags);
        registered.await.unwrap();
        sleep(MINUTE).await;
    }
    let began = Instant::now();
    let refused = fixture.consumer_with(ConsumerLifecycle::Managed).await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "waiting does not help"
    );
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("at most 20 consumers") && error.contains("kinesis-sql consumers"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_far_behind_is_polled_until_no_record_can_expire() {
    let fixture = Fixture::with_shards(1).await.subscribing().await;
    for text in numbers(10) {
        fixture.put(&text).await;
    }
    let reader = fixture.read_all().await;
    let batch = reader.next().await;
    reader.release(&batch.ranges.ends());
    drop(reader);
    // Everything that was read has expired, and so has what followed.
    fixture.put("k lost").await;
    sleep(25 * 60 * MINUTE).await;
    fixture.put("k new").await;
    let reader = fixture
        .read(StreamStart::Resume {
            offsets: batch.ranges.ends(),
            read_to: batch.ranges.read_to,
            retention: batch.ranges.retention,
        })
        .await;
    sleep(MINUTE).await;
    assert_eq!(reader.losses(), 1);
    assert_eq!(reader.next_rows().await, ["k new"]);
    assert!(fixture.kinesis.calls(Operation::SubscribeToShard) > 1);
}

/// A subscription says nothing about records that expired before it began.
#[tokio::test(start_paused = true)]
async fn records_that_expire_while_a_query_does_not_read_are_a_loss() {
    let mut fixture = Fixture::with_shards(1).await.subscribing().await;
    let two_days = 2 * 24 * 60 * MINUTE;
    let longer = fixture
        .kinesis
        .increase_retention(&fixture.stream, two_days);
    longer.await.unwrap();
    fixture.retention = two_days;
    fixture.options.buffer_max_bytes = 50_000;
    let reader = fixture.read_all().await;
    let text = |number: usize| format!("k {number} {}", "x".repeat(1_000));
    for number in 0..300 {
        fixture.put(&text(number)).await;
    }
    // The buffer is full, and the rest expires because the retention becomes shorter than the query knows: it asks
    // every ten minutes.
    sleep(30 * 60 * MINUTE + MINUTE).await;
    let day = 24 * 60 * MINUTE;
    let shorter = fixture.kinesis.decrease_retention(&fixture.stream, day);
    shorter.await.unwrap();
    fixture.put("k new").await;
    let mut rows = Vec::new();
    while rows.last().is_none_or(|row| row != "k new") {
        rows.extend(reader.next_rows().await);
    }
    assert!((10..250).contains(&rows.len()), "{}", rows.len());
    assert_eq!(reader.losses(), 1);
    assert_eq!(fixture.kinesis.calls(Operation::SubscribeToShard), 1);
}
