//! A planned batch whose records have expired when it is rerun.

use datafusion_kinesis::ErrorKind;
use tokio::time::sleep;

use super::checkpoint_log::CheckpointLog;
use super::recreated_stream::{losses, put};
use super::*;

/// Plans a batch over ten rows, and starts again after they expired.
async fn begun_and_gone(fails: bool) -> (Sink, String, StreamingQuery) {
    let world = World::new();
    let options = format!("{FROM_THE_START}, 'kinesis.failOnDataLoss' '{fails}'");
    world.unbounded_table("words", 1, &options).await;
    let place = format!("memory://begun-and-gone-{fails}");
    let sink = Sink::default();
    let query = || sink.of(words(&world)).with_checkpoint_location(&place);
    put(&world, 0..10).await;
    let freeze = Freeze::at(Step::OffsetsLogged, 1);
    let begun = query().with_step_hook(freeze.hook.clone());
    let begun = begun.start().await.unwrap();
    freeze.reached().await;
    drop(begun);
    sleep(Duration::from_secs(25 * 3_600)).await;
    put(&world, 10..15).await;
    let query = query().start().await.unwrap();
    (sink, place, query)
}

#[tokio::test(start_paused = true)]
async fn the_batch_runs_with_the_remaining_records_and_the_loss_is_counted() {
    let (sink, _, query) = begun_and_gone(false).await;
    query.process_all_available().await.unwrap();
    assert_eq!(sink.batches(), [0, 1]);
    assert_eq!(sink.0.lock().unwrap()[&0], [""; 0]);
    assert_eq!(sink.numbers(), (10..15).collect::<Vec<_>>());
    let rerun = &query.recent_progress()[0];
    assert!(rerun.sources[0].metrics.losses >= 1, "{rerun}");
    assert!(losses(&query) >= 1);
}

#[tokio::test(start_paused = true)]
async fn with_fail_on_data_loss_the_query_ends_without_a_commit() {
    let (_, place, query) = begun_and_gone(true).await;
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
    assert!(
        error.to_string().contains("shardId-000000000000"),
        "{error}"
    );
    assert!(CheckpointLog::of(&place).await.commits.is_empty());
}
