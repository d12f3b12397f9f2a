//! Registration, listing and deregistration of consumers.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_consumer_is_created_before_it_is_active() {
    let fixture = Fixture::with_shards(1).await;
    let name = consumer_name("sql");
    let registered = fixture.register("sql").await.unwrap();
    assert_eq!(registered.status, ConsumerStatus::Creating);
    assert_eq!((&registered.name, registered.created_at), (&name, START));
    let arn = format!("{}/consumer/sql:1700000000", fixture.arn().await);
    assert_eq!(registered.arn.as_str(), arn);
    advance(Duration::from_millis(100)).await;
    let stream = fixture.arn().await;
    for wanted in [
        ConsumerId::Arn(&registered.arn),
        ConsumerId::Name(&stream, &name),
    ] {
        let found = fixture.kinesis.describe_consumer(wanted).await.unwrap();
        assert_eq!(found.status, ConsumerStatus::Active);
        assert_eq!(found.arn, registered.arn);
    }
    let other = consumer_name("other");
    let missing = ConsumerId::Name(&stream, &other);
    let missing = fixture.kinesis.describe_consumer(missing).await;
    assert_eq!(code(missing), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_at_most_twenty_consumers_and_five_being_created() {
    let fixture = Fixture::with_shards(1).await;
    for number in 0..20 {
        if number % 5 == 0 {
            advance(Duration::from_millis(100)).await;
        }
        let name = format!("c{number}");
        fixture.register(&name).await.unwrap();
        let again = fixture.register(&name).await;
        assert_eq!(code(again), "ResourceInUseException");
        if number % 5 == 4 {
            let error = fixture.register("more").await.unwrap_err();
            assert_eq!(error.code(), "LimitExceededException");
        }
    }
    advance(Duration::from_secs(1)).await;
    let error = fixture.register("more").await.unwrap_err();
    assert!(error.message().contains("20 consumers"), "{error}");
    let other = consumer_name("x");
    let no_tags = ConsumerTags::new();
    let nameless = fixture
        .kinesis
        .register_consumer("clicks", &other, &no_tags);
    assert_eq!(code(nameless.await), "InvalidArgumentException");
}

#[tokio::test(start_paused = true)]
async fn consumers_are_listed_in_pages() {
    let options = InMemoryOptions::default().with_max_shards_per_page(2);
    let fixture = Fixture::with(1, options).await;
    let stream = fixture.arn().await;
    for name in ["c", "a", "e", "b", "d"] {
        fixture.register(name).await.unwrap();
    }
    let mut names = Vec::new();
    let (mut pages, mut next) = (0, None);
    loop {
        let page = fixture.kinesis.list_consumers(&stream, next.as_ref());
        let page = page.await.unwrap();
        names.extend(page.consumers.iter().map(|found| found.name.to_string()));
        pages += 1;
        match page.next {
            None => break,
            token => next = token,
        }
    }
    assert_eq!((pages, names.concat().as_str()), (3, "abcde"));

    advance(Duration::from_secs(301)).await;
    let late = fixture.kinesis.list_consumers(&stream, next.as_ref()).await;
    assert_eq!(code(late), "ExpiredNextTokenException");
    let foreign = NextToken("AAAA".to_owned());
    let foreign = fixture.kinesis.list_consumers(&stream, Some(&foreign));
    assert_eq!(code(foreign.await), "InvalidArgumentException");
}

#[tokio::test(start_paused = true)]
async fn a_deregistered_consumer_goes_and_another_of_its_name_has_another_arn() {
    let fixture = Fixture::with_shards(1).await;
    let first = fixture.consumer("sql").await;
    let kinesis = &fixture.kinesis;
    kinesis.deregister_consumer(&first).await.unwrap();
    let found = kinesis.describe_consumer(ConsumerId::Arn(&first)).await;
    assert_eq!(found.unwrap().status, ConsumerStatus::Deleting);
    assert_eq!(
        code(fixture.register("sql").await),
        "ResourceInUseException"
    );
    let again = kinesis.deregister_consumer(&first).await;
    assert_eq!(code(again), "ResourceNotFoundException");
    advance(Duration::from_millis(100)).await;
    let found = kinesis.describe_consumer(ConsumerId::Arn(&first)).await;
    assert_eq!(code(found), "ResourceNotFoundException");
    // Within the same second.
    let second = fixture.consumer("sql").await;
    assert_ne!(first, second);
    let found = kinesis.describe_consumer(ConsumerId::Arn(&first)).await;
    assert_eq!(code(found), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_stream_with_consumers_is_deleted_only_together_with_them() {
    let fixture = Fixture::with_shards(1).await;
    let consumer = fixture.consumer("sql").await;
    let stream = fixture.arn().await;
    let (kinesis, clicks) = (&fixture.kinesis, &fixture.stream);
    let refused = kinesis.delete_stream(clicks).await;
    assert_eq!(code(refused), "ResourceInUseException");
    kinesis.delete_stream_and_consumers(clicks).await.unwrap();
    let found = kinesis.describe_consumer(ConsumerId::Arn(&consumer)).await;
    assert_eq!(code(found), "ResourceNotFoundException");
    let name = StreamName::new("clicks").unwrap();
    kinesis.create_stream(&name, 1).await.unwrap();
    let page = kinesis.list_consumers(&stream, None).await.unwrap();
    assert!(page.consumers.is_empty());
    assert_ne!(fixture.consumer("sql").await, consumer);
}

#[tokio::test(start_paused = true)]
async fn calls_for_consumers_have_faults() {
    let fixture = Fixture::with_shards(1).await;
    let operation = Operation::RegisterStreamConsumer;
    let rates = FaultRates::default().with_answer_lost(1.0);
    let plan = FaultPlan::default().with(operation, rates);
    fixture.kinesis.set_faults(plan);
    assert_eq!(code(fixture.register("sql").await), CONNECTION_LOST);
    fixture.kinesis.set_faults(FaultPlan::default());
    assert_eq!(
        code(fixture.register("sql").await),
        "ResourceInUseException"
    );
}
