//! A stream that is deleted and recreated while a query reads it.

use datafusion_kinesis::ErrorKind;
use tokio::time::sleep;

use super::checkpoint_log::CheckpointLog;
use super::recreated_stream::{everything, losses, put, remake};
use super::*;

/// Polls so rarely that a stream can be recreated between two polls.
const SELDOM: &str = "'kinesis.startingPosition' 'TRIM_HORIZON',
    'kinesis.getRecords.fetchIntervalMs' '60000', 'kinesis.describeShardInterval' '1 minute'";

/// A query whose stream is recreated while a batch is in flight.
async fn while_a_batch_runs(fails: bool) -> (World, Sink, String, StreamingQuery) {
    let world = World::new();
    let options = format!("{SELDOM}, 'kinesis.failOnDataLoss' '{fails}'");
    world.unbounded_table("words", 2, &options).await;
    let place = format!("memory://remade-in-flight-{fails}");
    let sink = Sink::default();
    let go = Arc::new(Notify::new());
    let (reached, released) = (Arc::new(Notify::new()), Arc::clone(&go));
    let running = Arc::clone(&reached);
    let query = words(&world).foreach_batch({
        let sink = sink.clone();
        move |batch, rows| {
            let (sink, running) = (sink.clone(), Arc::clone(&running));
            let released = Arc::clone(&released);
            async move {
                sink.take(batch, rows).await?;
                if batch == BatchId(1) {
                    running.notify_one();
                    released.notified().await;
                }
                Ok(())
            }
        }
    });
    put(&world, 0..10).await;
    let query = query
        .with_checkpoint_location(&place)
        .start()
        .await
        .unwrap();
    query.process_all_available().await.unwrap();
    put(&world, 10..20).await;
    reached.notified().await;
    remake(&world, "words", 3).await;
    put(&world, 20..30).await;
    sleep(Duration::from_secs(150)).await;
    go.notify_one();
    (world, sink, place, query)
}

#[tokio::test(start_paused = true)]
async fn a_stream_recreated_during_a_batch_is_continued_with() {
    let (world, sink, _, query) = while_a_batch_runs(false).await;
    query.process_all_available().await.unwrap();
    everything(&sink, 0..30);
    assert_eq!(losses(&query), 1);
    put(&world, 30..40).await;
    query.process_all_available().await.unwrap();
    everything(&sink, 0..40);
    assert_eq!((losses(&query), query.is_active()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn with_fail_on_data_loss_the_batch_during_a_recreation_is_not_committed() {
    let (_world, _, place, query) = while_a_batch_runs(true).await;
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss);
    assert!(
        error.to_string().contains("deleted and recreated"),
        "{error}"
    );
    let ledger = CheckpointLog::of(&place).await;
    assert!(ledger.offsets.keys().eq(&[0, 1]) && ledger.commits.keys().eq(&[0]));
}
