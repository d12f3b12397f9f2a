//! Subscriptions as their readers observe them.

use super::*;

const FIVE_SECONDS: Duration = Duration::from_secs(5);

/// The next event, which must come.
async fn event(subscription: &mut Box<dyn Subscription>) -> SubscriptionEvent {
    let next = subscription.next().await;
    next.expect("the subscription goes on").unwrap()
}

/// The error with which a subscription ends.
async fn failure(subscription: &mut Box<dyn Subscription>) -> String {
    let next = subscription.next().await;
    let failed = next.expect("the subscription fails").unwrap_err();
    let after = subscription.next().await;
    assert!(after.is_none(), "{after:?}");
    failed.code().to_owned()
}

fn child_ids(event: &SubscriptionEvent) -> Vec<u32> {
    let ids = event.page.children.iter().map(|child| &child.id);
    ids.map(|id| shard::index_of(id).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_subscription_starts_at_each_kind_of_position() {
    let fixture = Fixture::with_shards(1).await;
    fixture.put("a").await;
    advance(FIVE_SECONDS).await;
    let b = fixture.put("b").await.sequence;
    let time = fixture.now();
    advance(FIVE_SECONDS).await;
    fixture.put("c").await;
    let consumer = fixture.consumer("sql").await;
    for (position, expected) in [
        (IteratorPosition::TrimHorizon, "abc"),
        (IteratorPosition::At(b.clone()), "bc"),
        (IteratorPosition::AtTimestamp(time), "bc"),
        (IteratorPosition::After(b), "c"),
    ] {
        let mut subscription = fixture.subscribe(&consumer, 0, position).await.unwrap();
        let event = event(&mut subscription).await;
        assert_eq!(texts(&event.page).concat(), expected);
        assert_eq!(event.continuation.as_ref(), event.page.last_sequence());
        assert!(event.page.next.is_none() && event.page.children.is_empty());
        advance(FIVE_SECONDS).await;
    }
    let latest = fixture.subscribe(&consumer, 0, IteratorPosition::Latest);
    let mut latest = latest.await.unwrap();
    fixture.put("d").await;
    assert_eq!(texts(&event(&mut latest).await.page), ["d"]);
    advance(FIVE_SECONDS).await;
    let later = IteratorPosition::AtTimestamp(fixture.now().plus(FIVE_SECONDS));
    let error = fixture.subscribe(&consumer, 0, later).await;
    assert_eq!(code(error), "InvalidArgumentException");
}

#[tokio::test(start_paused = true)]
async fn a_record_is_pushed_when_it_arrives() {
    let fixture = Arc::new(Fixture::with_shards(1).await);
    let consumer = fixture.consumer("sql").await;
    let latest = fixture.subscribe(&consumer, 0, IteratorPosition::Latest);
    let mut subscription = latest.await.unwrap();
    let writer = Arc::clone(&fixture);
    let writing = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_234)).await;
        writer.put("now").await;
        writer.now()
    });
    let event = event(&mut subscription).await;
    assert_eq!(texts(&event.page), ["now"]);
    assert_eq!(event.page.behind_latest, Some(Duration::ZERO));
    assert_eq!(writing.await.unwrap(), fixture.now());
}

#[tokio::test(start_paused = true)]
async fn an_idle_subscription_has_events_whose_continuation_moves_on() {
    let fixture = Fixture::with_shards(1).await;
    let before = fixture.put("before").await.sequence;
    let consumer = fixture.consumer("sql").await;
    let latest = fixture.subscribe(&consumer, 0, IteratorPosition::Latest);
    let mut subscription = latest.await.unwrap();
    let mut last = before;
    for _ in 0..4 {
        let asked = fixture.now();
        let event = event(&mut subscription).await;
        assert_eq!(fixture.now().since(asked), FIVE_SECONDS);
        assert!(event.page.is_empty() && event.page.last_sequence().is_none());
        assert_eq!(event.page.behind_latest, Some(Duration::ZERO));
        let continuation = event.continuation.unwrap();
        assert!(continuation > last, "{continuation} {last}");
        last = continuation;
    }
    let after = fixture.put("after").await.sequence;
    assert!(after > last);
    // Also as a position of a polling reader.
    for position in [
        IteratorPosition::After(last.clone()),
        IteratorPosition::At(last.clone()),
    ] {
        assert_eq!(fixture.texts(0, position.clone()).await, ["after"]);
        let mut next = fixture.subscribe(&consumer, 0, position).await.unwrap();
        assert_eq!(texts(&event(&mut next).await.page), ["after"]);
        advance(FIVE_SECONDS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_continuation_of_an_empty_shard_is_before_its_first_record() {
    let fixture = Fixture::with_shards(1).await;
    let consumer = fixture.consumer("sql").await;
    let oldest = fixture.subscribe(&consumer, 0, IteratorPosition::TrimHorizon);
    let continuation = event(&mut oldest.await.unwrap()).await.continuation;
    fixture.put("first").await;
    let after = IteratorPosition::After(continuation.unwrap());
    assert_eq!(fixture.texts(0, after).await, ["first"]);
}

#[tokio::test(start_paused = true)]
async fn a_continuation_of_an_idle_shard_outlives_the_last_record() {
    let options = InMemoryOptions::default().with_trimmed_positions(TrimmedPosition::Pinned);
    let fixture = Fixture::with(1, options).await;
    let old = fixture.put("old").await.sequence;
    let consumer = fixture.consumer("sql").await;
    advance(Duration::from_secs(23 * 3_600)).await;
    let latest = fixture.subscribe(&consumer, 0, IteratorPosition::Latest);
    let continuation = event(&mut latest.await.unwrap()).await.continuation;
    advance(Duration::from_secs(2 * 3_600)).await;
    fixture.put("new").await;
    let after = IteratorPosition::After(continuation.unwrap());
    assert_eq!(fixture.texts(0, after.clone()).await, ["new"]);
    let mut next = fixture.subscribe(&consumer, 0, after).await.unwrap();
    assert_eq!(texts(&event(&mut next).await.page), ["new"]);
    // The record itself is trimmed, so a position after it returns nothing for ever.
    advance(FIVE_SECONDS).await;
    let pinned = fixture.subscribe(&consumer, 0, IteratorPosition::After(old.clone()));
    let event = event(&mut pinned.await.unwrap()).await;
    assert!(event.page.is_empty());
    assert_eq!(event.continuation, Some(old));
    assert_eq!(event.page.behind_latest, Some(Duration::from_secs(86_400)));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_after_five_minutes() {
    let fixture = Fixture::with_shards(1).await;
    let consumer = fixture.consumer("sql").await;
    let started = fixture.now();
    let latest = fixture.subscribe(&consumer, 0, IteratorPosition::Latest);
    let mut subscription = latest.await.unwrap();
    let mut events = 0;
    while let Some(event) = subscription.next().await {
        assert!(event.unwrap().page.is_empty());
        events += 1;
    }
    assert_eq!(fixture.now().since(started), Duration::from_secs(300));
    assert_eq!(events, 59);
    fixture.put("late").await;
    assert!(subscription.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_can_be_taken_over_after_five_seconds() {
    let fixture = Fixture::with_shards(2).await;
    let consumer = fixture.consumer("sql").await;
    let subscribe = |shard| fixture.subscribe(&consumer, shard, IteratorPosition::Latest);
    let mut first = subscribe(0).await.unwrap();
    subscribe(1).await.expect("another shard");
    let other = fixture.consumer("other").await;
    let others = fixture.subscribe(&other, 0, IteratorPosition::Latest);
    let mut others = others.await.expect("another consumer");
    advance(Duration::from_millis(4_899)).await;
    let early = subscribe(0).await.unwrap_err();
    assert_eq!(early.kind(), ApiErrorKind::ResourceInUse);
    advance(Duration::from_millis(1)).await;
    let mut second = subscribe(0).await.unwrap();
    assert_eq!(failure(&mut first).await, "ResourceInUseException");
    assert!(event(&mut second).await.page.is_empty());
    assert!(event(&mut others).await.page.is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_successful_calls_delay_the_next_one() {
    let fixture = Fixture::with_shards(1).await;
    let consumer = fixture.consumer("sql").await;
    let subscribe = || fixture.subscribe(&consumer, 0, IteratorPosition::Latest);
    drop(subscribe().await.unwrap());
    for _ in 0..4 {
        advance(Duration::from_secs(1)).await;
        assert_eq!(code(subscribe().await), "ResourceInUseException");
    }
    advance(Duration::from_secs(1)).await;
    let mut subscription = subscribe().await.unwrap();
    // A refused call leaves the subscription alone.
    assert_eq!(code(subscribe().await), "ResourceInUseException");
    event(&mut subscription).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_event_of_a_split_shard_names_the_children() {
    let fixture = Fixture::with_shards(1).await;
    let consumer = fixture.consumer("sql").await;
    let oldest = fixture.subscribe(&consumer, 0, IteratorPosition::TrimHorizon);
    let mut live = oldest.await.unwrap();
    fixture.put("a").await;
    assert_eq!(texts(&event(&mut live).await.page), ["a"]);
    fixture.split_the_only_shard().await;
    let last = event(&mut live).await;
    assert!(last.page.is_empty() && last.continuation.is_none());
    assert_eq!(child_ids(&last), [1, 2]);
    assert_eq!(last.page.behind_latest, Some(Duration::ZERO));
    assert!(live.next().await.is_none());
    // A later subscription has the records and the end in one event.
    advance(FIVE_SECONDS).await;
    let oldest = fixture.subscribe(&consumer, 0, IteratorPosition::TrimHorizon);
    let mut late = oldest.await.unwrap();
    let last = event(&mut late).await;
    assert_eq!(texts(&last.page), ["a"]);
    assert!(last.continuation.is_none() && last.page.children.len() == 2);
    assert!(late.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_merge_wakes_the_subscriptions_of_both_parents() {
    let fixture = Arc::new(Fixture::with_shards(2).await);
    let consumer = fixture.consumer("sql").await;
    let writer = Arc::clone(&fixture);
    let merging = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let [first, second] = [0, 1].map(shard::shard_id);
        let merge = writer.kinesis.merge_shards(&writer.stream, &first, &second);
        merge.await.unwrap();
    });
    let started = fixture.now();
    for parent in [0, 1] {
        let latest = fixture.subscribe(&consumer, parent, IteratorPosition::Latest);
        let last = event(&mut latest.await.unwrap()).await;
        assert_eq!((child_ids(&last), last.continuation), (vec![2], None));
    }
    assert_eq!(fixture.now().since(started), Duration::from_secs(1));
    merging.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn subscriptions_end_with_their_consumer_and_stream() {
    let fixture = Fixture::with_shards(1).await;
    let (kinesis, latest) = (&fixture.kinesis, IteratorPosition::Latest);
    let consumer = fixture.consumer("sql").await;
    let mut subscription = fixture
        .subscribe(&consumer, 0, latest.clone())
        .await
        .unwrap();
    fixture.put("unread").await;
    kinesis.deregister_consumer(&consumer).await.unwrap();
    assert_eq!(
        failure(&mut subscription).await,
        "ResourceNotFoundException"
    );
    let gone = fixture.subscribe(&consumer, 0, latest.clone()).await;
    assert_eq!(code(gone), "ResourceInUseException");
    advance(FIVE_SECONDS).await;
    let gone = fixture.subscribe(&consumer, 0, latest.clone()).await;
    assert_eq!(code(gone), "ResourceNotFoundException");
    let consumer = fixture.consumer("sql").await;
    let mut subscription = fixture.subscribe(&consumer, 0, latest).await.unwrap();
    let stream = &fixture.stream;
    kinesis.delete_stream_and_consumers(stream).await.unwrap();
    assert_eq!(
        failure(&mut subscription).await,
        "ResourceNotFoundException"
    );
}

#[tokio::test(start_paused = true)]
async fn a_subscription_needs_an_active_consumer_and_a_shard() {
    let fixture = Fixture::with_shards(1).await;
    let creating = fixture.register("sql").await.unwrap().arn;
    let subscribe = |arn, shard| fixture.subscribe(arn, shard, IteratorPosition::Latest);
    assert_eq!(
        code(subscribe(&creating, 0).await),
        "ResourceInUseException"
    );
    advance(Duration::from_millis(100)).await;
    assert_eq!(
        code(subscribe(&creating, 7).await),
        "ResourceNotFoundException"
    );
    let other = creating.as_str().replace("clicks", "missing");
    let other = ConsumerArn::new(&other).unwrap();
    assert_eq!(
        code(subscribe(&other, 0).await),
        "ResourceNotFoundException"
    );
    subscribe(&creating, 0).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_event_has_at_most_a_mebibyte_or_one_record() {
    let fixture = Fixture::with_shards(1).await;
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    kinesis
        .update_max_record_size(stream, 10 << 20)
        .await
        .unwrap();
    for size in [400_000, 400_000, 400_000, 3 << 20, 5] {
        let put = entry("k", &vec![b'x'; size]);
        kinesis.put_record(stream, &put).await.unwrap();
    }
    let consumer = fixture.consumer("sql").await;
    advance(FIVE_SECONDS).await;
    let oldest = fixture.subscribe(&consumer, 0, IteratorPosition::TrimHorizon);
    let mut subscription = oldest.await.unwrap();
    for (records, lag) in [(2, 5_100), (1, 5_100), (1, 5_100), (1, 0)] {
        let event = event(&mut subscription).await;
        assert_eq!(event.page.len(), records);
        assert_eq!(event.page.behind_latest, Some(Duration::from_millis(lag)));
    }
}

#[tokio::test(start_paused = true)]
async fn enforced_limits_pace_events_and_calls() {
    let options = InMemoryOptions::default().with_enforce_limits(true);
    let fixture = Fixture::with(1, options).await;
    const RECORDS: usize = 40;
    for _ in 0..RECORDS {
        let put = entry("k", &vec![0; 500_000]);
        fixture
            .kinesis
            .put_record(&fixture.stream, &put)
            .await
            .unwrap();
        advance(Duration::from_secs(1)).await;
    }
    let consumers = [fixture.consumer("a").await, fixture.consumer("b").await];
    let started = fixture.now();
    let oldest = || IteratorPosition::TrimHorizon;
    let mut first = fixture.subscribe(&consumers[0], 0, oldest()).await.unwrap();
    let error = fixture.subscribe(&consumers[0], 0, oldest()).await;
    assert_eq!(code(error), "LimitExceededException");
    let mut read = 0;
    while read < RECORDS {
        read += event(&mut first).await.page.len();
    }
    // 20 MB, of which 2 MiB at once.
    let took = fixture.now().since(started).as_secs_f64();
    assert!((7.0..9.0).contains(&took), "{took}");
    // The other consumer has a budget of its own, which a new subscription does not fill.
    let started = fixture.now();
    let mut second = fixture.subscribe(&consumers[1], 0, oldest()).await.unwrap();
    for _ in 0..3 {
        event(&mut second).await;
    }
    assert_eq!(fixture.now(), started);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_of_the_next_event_loses_nothing() {
    let fixture = Fixture::with_shards(1).await;
    let consumer = fixture.consumer("sql").await;
    let latest = fixture.subscribe(&consumer, 0, IteratorPosition::Latest);
    let mut subscription = latest.await.unwrap();
    let (mut seen, mut put) = (Vec::new(), 0);
    while put < 20 {
        let text = put.to_string();
        // A put wakes the future, and drops it before it is asked again.
        tokio::select! {
            biased;
            next = subscription.next() => seen.extend(texts(&next.unwrap().unwrap().page)),
            _ = fixture.put(&text) => put += 1,
        }
    }
    seen.extend(texts(&event(&mut subscription).await.page));
    let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(seen, expected);
}
