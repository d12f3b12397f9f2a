//! The first tick of a periodic trigger.

use super::*;
use datafusion_kinesis::model::Trigger;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn available_records_do_not_wait_for_the_first_tick() {
    let world = world(1).await;
    let sink = Sink::default();
    world.put_numbers("words", 20).await;
    let query = sink
        .of(words(&world))
        .with_trigger(Trigger::ProcessingTime(MINUTE));
    let query = query.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.numbers(), (0..20).collect::<Vec<_>>());
    // Later records wait for a tick.
    world.put("words", "k", "20").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.batches(), [0]);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(sink.batches(), [0, 1]);
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_query_without_records_waits_for_its_tick() {
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
