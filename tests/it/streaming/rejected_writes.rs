//! Rejected writes and reads delay a streaming query, but do not end it.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::{FaultPlan, FaultRates, Operation};

use super::*;

const COPY: &str = "INSERT INTO counts (partitionKey, data) SELECT partitionKey, data FROM words";

/// Copies `words`, which has ten rows, to `counts`, a table with further options.
async fn copy(options: &str, faults: FaultPlan) -> (World, StreamingQuery) {
    let place = format!("memory://refused-writes-{}", fastrand::u64(..));
    copy_at(&place, options, faults).await
}

async fn copy_at(place: &str, options: &str, faults: FaultPlan) -> (World, StreamingQuery) {
    let world = World::new();
    let start = "'kinesis.startingPosition' 'TRIM_HORIZON'";
    world.unbounded_table("words", 2, start).await;
    world.table("counts", 2, options).await;
    world.put_numbers("words", 10).await;
    let query = StreamingQuery::builder(&world.ctx, COPY)
        .with_checkpoint_location(place)
        .start()
        .await
        .unwrap();
    world.kinesis.set_faults(faults);
    (world, query)
}

fn all(operation: Operation, rates: FaultRates) -> FaultPlan {
    FaultPlan::default().with(operation, rates)
}

#[tokio::test(start_paused = true)]
async fn rows_rejected_for_an_hour_are_written_afterwards() {
    let failed = FaultRates::default().with_failed_entry(1.0);
    let throttled = FaultRates::default().with_throttled(1.0);
    let lost = FaultRates::default().with_connection_lost(1.0);
    for faults in [
        all(Operation::PutRecords, failed),
        all(Operation::PutRecords, throttled),
        all(Operation::PutRecords, lost),
        // A writer looks up the stream before it writes.
        all(Operation::DescribeStreamSummary, throttled),
        all(Operation::ListShards, lost),
    ] {
        let (world, query) = copy("", faults.clone()).await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(query.is_active(), "{faults:?}: {:?}", query.error());
        assert!(query.last_progress().is_none(), "{faults:?}");
        world.kinesis.set_faults(FaultPlan::default());
        query.process_all_available().await.unwrap();
        let written = world
            .number("SELECT count(DISTINCT data) FROM counts")
            .await;
        assert_eq!(written, 10, "{faults:?}");
        query.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_read_again_waits_for_the_service() {
    let lost = FaultRates::default().with_connection_lost(1.0);
    for operation in [
        Operation::ListShards,
        Operation::GetShardIterator,
        Operation::GetRecords,
    ] {
        let place = format!("memory://read-again-{operation}");
        let (world, query) = copy_at(&place, "", all(Operation::PutRecords, lost)).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        query.stop().await.unwrap();

        world.kinesis.set_faults(FaultPlan::default());
        let again = StreamingQuery::builder(&world.ctx, COPY).with_checkpoint_location(&place);
        let again = again.start().await.unwrap();
        world.kinesis.set_faults(all(operation, lost));
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(again.is_active(), "{operation}: {:?}", again.error());
        world.kinesis.set_faults(FaultPlan::default());
        again.process_all_available().await.unwrap();
        let written = world
            .number("SELECT count(DISTINCT data) FROM counts")
            .await;
        assert_eq!(written, 10, "{operation}");
        again.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_configured_record_ttl_applies_to_streaming_queries() {
    let rates = FaultRates::default().with_failed_entry(1.0);
    let faults = all(Operation::PutRecords, rates);
    let (_world, query) = copy("'kinesis.sink.recordTtl' '5000'", faults).await;
    let error = query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(
        text.contains("was rejected for 5s (kinesis.sink.recordTtl)"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_query_with_rejected_writes_can_be_stopped() {
    let rates = FaultRates::default().with_throttled(1.0);
    let (_world, query) = copy("", all(Operation::PutRecords, rates)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    query.stop().await.unwrap();
    assert!(!query.is_active());
}
