//! A stream that is deleted and made anew while a query reads it.

use datafusion_kinesis::ErrorKind;
use tokio::time::sleep;

use super::ledger::Ledger;
use super::remade::{everything, losses, put, remake};
use super::*;

/// Looks so seldom that a stream can be made anew between two looks.
const SELDOM: &str = "'kinesis.startingPosition' 'TRIM_HORIZON',
    'kinesis.getRecords.fetchIntervalMs' '60000', 'kinesis.describeShardInterval' '1 minute'";

/// Over a stream that is made anew while a batch is in flight, which ends behind that.
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
async fn made_anew_while_a_batch_runs_the_query_goes_on_with_the_new_one() {
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
async fn made_anew_while_a_batch_runs_the_batch_is_not_committed_where_the_query_is_to_fail() {
    let (_world, _, place, query) = while_a_batch_runs(true).await;
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss);
    assert!(error.to_string().contains("made anew"), "{error}");
    let ledger = Ledger::of(&place).await;
    assert!(ledger.offsets.keys().eq(&[0, 1]) && ledger.commits.keys().eq(&[0]));
}
