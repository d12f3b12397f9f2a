//! Readers that choose between polling and subscribing.

use super::fan_out::name;
use super::*;
use crate::kinesis::{ApiError, ApiErrorKind, ConsumerTags, IteratorPosition};
use crate::model::ConsumerLifecycle;
use crate::options::{ConsumerType, FanOutOptions, PriceList};
use crate::source::{AutoConsumer, ConsumerChoice, QUERY_TAG, SubscribedSettings};

const MINUTE: Duration = Duration::from_secs(60);

/// How long fan-out is kept at first.
const HOLD: Duration = Duration::from_secs(600);

impl Fixture {
    /// Lets readers choose.
    async fn choosing(mut self, lifecycle: ConsumerLifecycle) -> Self {
        let options = FanOutOptions {
            consumer: name("sql"),
            arn: None,
            lifecycle,
            timeout: MINUTE,
            max_retries: 3,
            auto_max_lag: Some(MINUTE),
        };
        let service: Arc<dyn Kinesis> = Arc::<InMemoryKinesis>::clone(&self.kinesis);
        let (context, arn) = (self.context(service), self.stream_arn().await);
        let random = fastrand::Rng::with_seed(7);
        let query = Some(Arc::from("this query"));
        let prices = PriceList::built_in();
        let auto = AutoConsumer::start(context, arn, options, query, MINUTE, prices, random);
        self.settings.subscribed = Some(SubscribedSettings {
            consumer: ConsumerChoice::Auto(Arc::new(auto)),
            timeout: MINUTE,
            max_retries: 3,
        });
        self
    }

    /// A fixture whose shards keep their limits. Shard 0 has four large records.
    async fn limited(shards: u32) -> Self {
        let options = InMemoryOptions::default().with_enforce_limits(true);
        let fixture = Self::with(shards, options).await;
        for _ in 0..4 {
            let entry = PutEntry {
                data: Bytes::from(vec![b'x'; 900_000]),
                partition_key: "k".into(),
                explicit_hash_key: Some(HashKey(0)),
            };
            let put = fixture.kinesis.put_record(&fixture.stream, &entry);
            put.await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        fixture
    }

    /// Another application, which reads the large records of shard 0 again and again until it is aborted.
    fn other_reader(&self) -> tokio::task::JoinHandle<()> {
        let (kinesis, stream) = (Arc::clone(&self.kinesis), self.stream.clone());
        tokio::spawn(async move {
            let first = IteratorPosition::TrimHorizon;
            let mut iterator = None;
            loop {
                let page = match &iterator {
                    Some(iterator) => {
                        let columns = RecordColumns::DATA_ONLY;
                        let page = kinesis.get_records(&stream, iterator, 10_000, columns);
                        page.await.map(drop)
                    }
                    None => {
                        let shard = shard(0);
                        let opened = kinesis.get_shard_iterator(&stream, &shard, &first);
                        opened.await.map(|opened| iterator = Some(opened))
                    }
                };
                if page.is_err_and(|error| error.kind() == ApiErrorKind::ExpiredIterator) {
                    iterator = None;
                }
                sleep(Duration::from_millis(37)).await;
            }
        })
    }

    /// Reads what is put from now on.
    async fn read_new(&self) -> StreamReader {
        self.read(initial_at(ShardPosition::AtTimestamp(self.now())))
            .await
    }

    async fn end(&self) {
        self.settings
            .subscribed
            .as_ref()
            .unwrap()
            .consumer
            .end(fastrand::Rng::with_seed(9))
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_subscribes_while_another_reader_uses_up_the_limits() {
    let fixture = Fixture::limited(2)
        .await
        .choosing(ConsumerLifecycle::Managed)
        .await;
    let reader = fixture.read_new().await;
    sleep(10 * MINUTE).await;
    assert_eq!(reader.status().consumer_type, ConsumerType::GetRecords);
    assert!(fixture.consumer().await.is_none(), "alone, it polls");

    let other = fixture.other_reader();
    sleep(3 * MINUTE).await;
    assert_eq!(
        reader.status().consumer_type,
        ConsumerType::SubscribeToShard
    );
    assert!(fixture.consumer().await.is_some());
    other.abort();
    sleep(Duration::from_secs(1)).await;
    let polls = fixture.kinesis.calls(Operation::GetRecords);
    fixture.put("k 1").await;
    let put = Instant::now();
    assert_eq!(reader.next_rows().await, ["k 1"]);
    assert!(put.elapsed() < Duration::from_millis(20));
    sleep(MINUTE).await;
    assert_eq!(fixture.kinesis.calls(Operation::GetRecords), polls);

    sleep(HOLD).await;
    assert_eq!(reader.status().consumer_type, ConsumerType::GetRecords);
    assert!(
        fixture.consumer().await.is_none(),
        "it is not paid for any more"
    );
    fixture.put("k 2").await;
    assert_eq!(reader.next_rows().await, ["k 2"]);
    assert!(fixture.kinesis.calls(Operation::GetRecords) > polls);
    assert_eq!(reader.losses(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_subscribes_while_a_shard_lags() {
    let mut fixture = Fixture::limited(1)
        .await
        .choosing(ConsumerLifecycle::Managed)
        .await;
    fixture.options.records_per_fetch = 1;
    let start = initial_at(ShardPosition::AtTimestamp(fixture.now()));
    for number in 0..600 {
        fixture.put(&format!("k {number}")).await;
        sleep(Duration::from_secs(1)).await;
    }
    let reader = fixture.read(start).await;
    // Five records per second are read, so it is a minute behind for longer than a minute.
    let expected: Vec<String> = (0..600).map(|number| format!("k {number}")).collect();
    let begun = Instant::now();
    assert_eq!(reader.rows(600).await, expected);
    let took = begun.elapsed();
    assert!((MINUTE..MINUTE * 2).contains(&took), "{took:?}");
    assert_eq!(
        reader.status().consumer_type,
        ConsumerType::SubscribeToShard
    );
    sleep(HOLD + MINUTE).await;
    assert_eq!(reader.status().consumer_type, ConsumerType::GetRecords);
}

#[tokio::test(start_paused = true)]
async fn full_buffers_are_no_reason_to_subscribe() {
    let mut fixture = Fixture::limited(1)
        .await
        .choosing(ConsumerLifecycle::Managed)
        .await;
    fixture.options.buffer_max_bytes = 50_000;
    let start = initial_at(ShardPosition::AtTimestamp(fixture.now()));
    for number in 0..300 {
        fixture
            .put(&format!("k {number} {}", "x".repeat(1_000)))
            .await;
    }
    let reader = fixture.read(start).await;
    let (mut rows, begun) = (0, Instant::now());
    while rows < 300 {
        // Each batch takes two minutes.
        sleep(2 * MINUTE).await;
        rows += reader.next_rows().await.len();
    }
    assert!(begun.elapsed() > 5 * MINUTE, "{:?}", begun.elapsed());
    assert_eq!(reader.status().consumer_type, ConsumerType::GetRecords);
    assert_eq!(fixture.kinesis.calls(Operation::RegisterStreamConsumer), 0);
}

#[tokio::test(start_paused = true)]
async fn it_polls_on_if_the_consumer_cannot_be_registered_or_used() {
    let fixture = Fixture::limited(1)
        .await
        .choosing(ConsumerLifecycle::Managed)
        .await;
    let denied = |call| ApiError::from_code(call, "AccessDeniedException", "scripted");
    // With the tag of the query, and without.
    for _ in 0..2 {
        let call = Operation::RegisterStreamConsumer;
        fixture.kinesis.fail_next(call, denied(call));
    }
    let reader = fixture.read_new().await;
    let other = fixture.other_reader();
    sleep(5 * MINUTE).await;
    assert_eq!(fixture.kinesis.calls(Operation::RegisterStreamConsumer), 2);
    assert_eq!(reader.status().consumer_type, ConsumerType::GetRecords);

    // It tries again after ten minutes, and may register the consumer but not use it.
    fixture.kinesis.fail_next(
        Operation::SubscribeToShard,
        denied(Operation::SubscribeToShard),
    );
    sleep(8 * MINUTE).await;
    assert_eq!(fixture.kinesis.calls(Operation::RegisterStreamConsumer), 3);
    assert_eq!(fixture.kinesis.calls(Operation::SubscribeToShard), 1);
    assert!(fixture.consumer().await.is_none(), "it is not paid for");
    assert_eq!(reader.status().consumer_type, ConsumerType::GetRecords);
    fixture.put("k 1").await;

    // The other reader leaves little to those who poll.
    sleep(12 * MINUTE).await;
    assert_eq!(
        reader.status().consumer_type,
        ConsumerType::SubscribeToShard
    );
    fixture.put("k 2").await;
    assert_eq!(reader.rows(2).await, ["k 1", "k 2"]);
    other.abort();
}

#[tokio::test(start_paused = true)]
async fn the_end_deregisters_what_was_registered() {
    use ConsumerLifecycle::{Managed, Reuse};
    for (lifecycle, stays) in [(Managed, false), (Reuse, true)] {
        let fixture = Fixture::limited(1).await.choosing(lifecycle).await;
        let reader = fixture.read_new().await;
        let other = fixture.other_reader();
        sleep(3 * MINUTE).await;
        assert!(fixture.consumer().await.is_some());
        other.abort();
        drop(reader);
        fixture.end().await;
        sleep(MINUTE).await;
        assert_eq!(fixture.consumer().await.is_some(), stays, "{lifecycle:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn changing_the_type_under_splits_and_merges_loses_and_doubles_nothing() {
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let fixture = Fixture::limited(2)
            .await
            .choosing(ConsumerLifecycle::Managed)
            .await;
        let reader = fixture.read_new().await;
        let (mut rows, mut subscriptions) = (Vec::new(), 0);
        let mut other = None;
        for number in 0..400 {
            fixture
                .put(&format!("{} {number}", random.u32(0..50)))
                .await;
            match (number % 100, &other) {
                (10, None) => other = Some(fixture.other_reader()),
                (50, Some(task)) => {
                    task.abort();
                    other = None;
                }
                _ => {}
            }
            if number % 100 > 80 && random.u32(0..5) == 0 {
                let shards = random.u32(1..5);
                let resharding = fixture.kinesis.update_shard_count(&fixture.stream, shards);
                // Refused if the last one was not long ago.
                let _ = resharding.await;
            }
            sleep(Duration::from_secs(random.u64(0..20))).await;
            let is_subscribed = reader.status().consumer_type == ConsumerType::SubscribeToShard;
            subscriptions += u32::from(is_subscribed);
            if reader.readiness(Instant::now()).unwrap() == Readiness::Ready {
                rows.extend(reader.next_rows().await);
            }
        }
        if let Some(other) = other {
            other.abort();
        }
        rows.extend(reader.rows(400 - rows.len()).await);
        let numbers = rows.iter().map(|row| row.split(' ').nth(1).unwrap());
        let mut numbers: Vec<u32> = numbers.map(|number| number.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..400).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(reader.losses(), 0);
        assert!(
            (20..380).contains(&subscriptions),
            "seed {seed}: {subscriptions}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_deregisters_what_an_earlier_run_of_the_query_left_and_nothing_else() {
    for (owner, stays) in [("this query", false), ("another query", true)] {
        let fixture = Fixture::limited(1).await;
        let tags = ConsumerTags::from([(QUERY_TAG.to_owned(), owner.to_owned())]);
        let (arn, name) = (fixture.stream_arn().await, name("sql"));
        let fan_out = fixture.kinesis.fan_out().unwrap();
        let registered = fan_out.register_consumer(&arn, &name, &tags).await;
        registered.unwrap();
        let fixture = fixture.choosing(ConsumerLifecycle::Managed).await;
        sleep(MINUTE).await;
        assert_eq!(fixture.consumer().await.is_some(), stays, "{owner}");
    }
}
