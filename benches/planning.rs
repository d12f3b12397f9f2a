//! How does the planning time of a batch grow with the number of shards?
//!
//! `cargo bench --bench planning` prints the time from the trigger to the planned ranges of a batch
//! with one row in each of 1, 100, 1,000 and 10,000 shards, in total and per shard.

use std::sync::Arc;
use std::time::Duration;

use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions, Kinesis, PutEntry};
use datafusion_kinesis::model::{HashKey, StreamIdentity, SystemClock};
use datafusion_kinesis::query::StreamingQuery;
use datafusion_kinesis::{Services, register_with, sql};
use futures::StreamExt;

const SHARDS: [u128; 4] = [1, 100, 1_000, 10_000];
const BATCHES: usize = 11;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!("  shards       planning      per shard");
    for shards in SHARDS {
        let planning = median(runtime.block_on(batches(shards)));
        let per_shard = planning / u32::try_from(shards).expect("few shards");
        let target = if shards == 10_000 {
            "  (at most 50 ms)"
        } else {
            ""
        };
        println!("{shards:>8} {planning:>14.2?} {per_shard:>14.2?}{target}");
    }
}

async fn batches(shards: u128) -> Vec<Duration> {
    let kinesis = Arc::new(InMemoryKinesis::new(
        Arc::new(SystemClock),
        InMemoryOptions::default(),
    ));
    let ctx = SessionContext::new();
    register_with(
        &ctx,
        Services::fixed(Arc::<InMemoryKinesis>::clone(&kinesis)),
    );
    // Each batch waits until the rows of all shards have been read.
    let table = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS
         ('kinesis.createStream' 'true', 'kinesis.shardCount' '{shards}',
          'kinesis.startingPosition' 'TRIM_HORIZON')"
    );
    sql(&ctx, &table).await.expect("the table is made");
    let stream = StreamIdentity::parse("words").expect("a name");
    let mut times = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        put_a_row_in_each(&kinesis, &stream, shards).await;
        let query = StreamingQuery::builder(&ctx, "SELECT data FROM words")
            .with_checkpoint_location(format!("memory://planning-{shards}"))
            .with_trigger(datafusion_kinesis::model::Trigger::Once)
            .foreach_batch(|_, mut rows| async move {
                while let Some(rows) = rows.next().await {
                    rows?;
                }
                Ok(())
            });
        let query = query.start().await.expect("the query starts");
        query.await_termination().await.expect("the batch runs");
        let progress = query.last_progress().expect("a batch has run");
        assert_eq!(u128::from(progress.num_input_rows), shards);
        times.push(progress.durations["latestOffset"]);
    }
    times
}

async fn put_a_row_in_each(kinesis: &InMemoryKinesis, stream: &StreamIdentity, shards: u128) {
    let width = u128::MAX / shards;
    let keys: Vec<u128> = (0..shards).map(|shard| shard * width + width / 2).collect();
    for keys in keys.chunks(500) {
        let entry = |key: &u128| PutEntry {
            data: "row".into(),
            partition_key: "a".into(),
            explicit_hash_key: Some(HashKey(*key)),
        };
        let entries: Vec<PutEntry> = keys.iter().map(entry).collect();
        let outcomes = kinesis.put_records(stream, &entries).await;
        for outcome in outcomes.expect("the records are put") {
            outcome.expect("each record is put");
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
