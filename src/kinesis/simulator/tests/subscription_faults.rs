//! Faults of subscriptions, and readers that survive them.

use super::*;

const SUBSCRIBE: Operation = Operation::SubscribeToShard;

async fn with_rates(rates: FaultRates) -> (Fixture, ConsumerArn) {
    let plan = FaultPlan::default().with(SUBSCRIBE, rates);
    let options = InMemoryOptions::default().with_faults(plan);
    let fixture = Fixture::with(1, options).await;
    fixture.put("a").await;
    let consumer = fixture.consumer("sql").await;
    (fixture, consumer)
}

#[tokio::test(start_paused = true)]
async fn a_call_fails_as_other_calls_do() {
    let (fixture, consumer) = with_rates(FaultRates::default().with_throttled(1.0)).await;
    let oldest = || fixture.subscribe(&consumer, 0, IteratorPosition::TrimHorizon);
    let throttled = oldest().await;
    assert_eq!(code(throttled), "ProvisionedThroughputExceededException");
    let rates = FaultRates::default().with_answer_lost(1.0);
    let plan = FaultPlan::default().with(SUBSCRIBE, rates);
    fixture.kinesis.set_faults(plan);
    assert_eq!(code(oldest().await), CONNECTION_LOST);
    // The lost answer was to a successful call.
    fixture.kinesis.set_faults(FaultPlan::default());
    assert_eq!(code(oldest().await), "ResourceInUseException");
    let denied = ApiError::from_code(SUBSCRIBE, "AccessDeniedException", "scripted");
    fixture.kinesis.fail_next(SUBSCRIBE, denied);
    assert_eq!(code(oldest().await), "AccessDeniedException");
    assert_eq!(fixture.kinesis.calls(SUBSCRIBE), 4);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_replaced_by_an_error_or_an_end() {
    let rates = FaultRates::default();
    for (rates, expected) in [
        (
            rates.with_failed_event(1.0),
            Some("InternalFailureException"),
        ),
        (rates.with_broken_event(1.0), Some(CONNECTION_LOST)),
        (rates.with_early_end(1.0), None),
    ] {
        let (fixture, consumer) = with_rates(rates).await;
        let oldest = fixture.subscribe(&consumer, 0, IteratorPosition::TrimHorizon);
        let mut subscription = oldest.await.unwrap();
        let next = subscription.next().await;
        let found = next.map(|event| event.unwrap_err().code().to_owned());
        assert_eq!(found.as_deref(), expected);
        assert!(subscription.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_scripted_error_replaces_one_event() {
    let (fixture, consumer) = with_rates(FaultRates::default()).await;
    let error = ApiError::from_code(SUBSCRIBE, "KMSAccessDeniedException", "scripted");
    fixture.kinesis.fail_next_event(error);
    for expected in [Some("KMSAccessDeniedException"), None] {
        let oldest = fixture.subscribe(&consumer, 0, IteratorPosition::TrimHorizon);
        let event = oldest.await.unwrap().next().await.unwrap();
        assert_eq!(event.err().as_ref().map(ApiError::code), expected);
        advance(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_event_without_records_skips_none() {
    let (fixture, consumer) = with_rates(FaultRates::default().with_empty_page(1.0)).await;
    advance(Duration::from_secs(3)).await;
    let oldest = fixture.subscribe(&consumer, 0, IteratorPosition::TrimHorizon);
    let mut subscription = oldest.await.unwrap();
    let first = subscription.next().await.unwrap().unwrap();
    let lag = first.page.behind_latest.unwrap();
    assert!(first.page.is_empty() && lag > Duration::from_secs(3));
    let after = IteratorPosition::After(first.continuation.unwrap());
    assert_eq!(fixture.texts(0, after).await, ["a"]);
    let second = subscription.next().await.unwrap().unwrap();
    assert_eq!(texts(&second.page), ["a"]);
}

/// Reads a shard and its descendants from the first record on, across all faults, by the continuation of the last event.
async fn read_all(fixture: Arc<Fixture>, consumer: ConsumerArn, shard: u32) -> Vec<String> {
    let mut position = IteratorPosition::TrimHorizon;
    let mut seen = Vec::new();
    let children = 'shard: loop {
        let subscribed = fixture.subscribe(&consumer, shard, position.clone()).await;
        let Ok(mut subscription) = subscribed else {
            tokio::time::sleep(Duration::from_millis(700)).await;
            continue;
        };
        while let Some(Ok(event)) = subscription.next().await {
            seen.extend(texts(&event.page));
            match event.continuation {
                Some(continuation) => position = IteratorPosition::After(continuation),
                None => break 'shard event.page.children,
            }
            if seen.last().is_some_and(|text| text == "end") {
                return seen;
            }
        }
    };
    // A child of two parents is read with the first of them.
    let parent = shard::shard_id(shard);
    for child in children.iter().filter(|child| child.parents[0] == parent) {
        let child = shard::index_of(&child.id).unwrap();
        let reading = read_all(Arc::clone(&fixture), consumer.clone(), child);
        seen.extend(Box::pin(reading).await);
    }
    seen
}

/// Puts, splits and merges at random, and ends each open shard with a mark.
async fn write(fixture: &Fixture, random: &mut fastrand::Rng) -> Vec<String> {
    let mut written = Vec::new();
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    for number in 0..400 {
        let pause = random.u64(0..3_000) * u64::from(random.u8(0..10) == 0);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let text = number.to_string();
        fixture.put(&text).await;
        written.push(text);
        let shards = fixture.shards().await;
        let mut open: Vec<_> = shards.iter().filter(|shard| !shard.is_closed()).collect();
        open.sort_by_key(|shard| shard.hash_range.start);
        let at = random.usize(0..open.len());
        let range = open[at].hash_range;
        match random.u8(0..40) {
            0 => {
                let middle = HashKey(range.start.0 / 2 + range.end.0 / 2);
                let split = kinesis.split_shard(stream, &open[at].id, middle);
                split.await.unwrap();
            }
            1 if at > 0 => {
                let merge = kinesis.merge_shards(stream, &open[at].id, &open[at - 1].id);
                merge.await.unwrap();
            }
            _ => {}
        }
    }
    for shard in fixture
        .shards()
        .await
        .iter()
        .filter(|shard| !shard.is_closed())
    {
        let end = PutEntry {
            explicit_hash_key: Some(shard.hash_range.start),
            ..entry("end", b"end")
        };
        kinesis.put_record(stream, &end).await.unwrap();
        written.push("end".to_owned());
    }
    written
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_doubled_across_subscriptions() {
    for seed in 0..20 {
        let rates = FaultRates::default()
            .with_throttled(0.1)
            .with_answer_lost(0.1)
            .with_empty_page(0.3)
            .with_failed_event(0.03)
            .with_broken_event(0.03)
            .with_early_end(0.03)
            .with_max_latency(Duration::from_millis(300));
        let options = InMemoryOptions::default()
            .with_seed(seed)
            .with_faults(FaultPlan::default().with(SUBSCRIBE, rates));
        let fixture = Arc::new(Fixture::with(2, options).await);
        let consumer = fixture.consumer("sql").await;
        let readers = [0, 1].map(|shard| {
            let reading = read_all(Arc::clone(&fixture), consumer.clone(), shard);
            tokio::spawn(reading)
        });
        let mut random = fastrand::Rng::with_seed(seed);
        let mut written = write(&fixture, &mut random).await;
        let mut seen = Vec::new();
        for reader in readers {
            seen.extend(reader.await.unwrap());
        }
        written.sort();
        seen.sort();
        assert_eq!(seen, written, "seed {seed}");
        assert!(fixture.kinesis.calls(SUBSCRIBE) > 10);
    }
}
