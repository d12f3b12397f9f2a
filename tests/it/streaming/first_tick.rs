//! The first tick of a trigger that has ticks.

use super::*;
use datafusion_kinesis::model::Trigger;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn what_is_there_at_the_start_does_not_wait_for_the_next_tick() {
    let world = world(1).await;
    let sink = Sink::default();
    world.put_numbers("words", 20).await;
    let query = sink
        .of(words(&world))
        .with_trigger(Trigger::ProcessingTime(MINUTE));
    let query = query.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.numbers(), (0..20).collect::<Vec<_>>());
    // From then on there are ticks.
    world.put("words", "k", "20").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.batches(), [0]);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(sink.batches(), [0, 1]);
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_query_that_finds_nothing_waits_for_its_tick() {
    let world = world(3).await;
    let sink = Sink::default();
    let query = sink
        .of(words(&world))
        .with_trigger(Trigger::ProcessingTime(MINUTE));
    let query = query.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(query.status().message, "Waiting for next trigger");
    world.put("words", "k", "1").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(sink.batches(), [0; 0]);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(sink.numbers(), [1]);
    query.stop().await.unwrap();
}
