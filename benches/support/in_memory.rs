//! Sessions over an in-memory Kinesis in this process.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{InMemoryKinesis, Kinesis, PutEntry};
use datafusion_kinesis::model::{Clock, HashKey, StreamIdentity, StreamName};
use datafusion_kinesis::{Services, register_with, sql};

/// The most records of a request.
const RECORDS_PER_REQUEST: usize = 500;

/// A session whose tables use `kinesis`.
pub(crate) fn session(kinesis: &Arc<InMemoryKinesis>, clock: Arc<dyn Clock>) -> SessionContext {
    let ctx = SessionContext::new();
    let service = Services::fixed(Arc::<InMemoryKinesis>::clone(kinesis)).with_clock(clock);
    register_with(&ctx, service);
    ctx
}

/// Makes a table that a streaming query can read from the start.
pub(crate) async fn unbounded_table(ctx: &SessionContext, stream: &str, options: &str) {
    let table = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE {stream} STORED AS \"aws-kinesis\" LOCATION '{stream}'
         OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON', {options})"
    );
    sql(ctx, &table).await.expect("the table is made");
}

/// A new stream.
pub(crate) async fn create(kinesis: &InMemoryKinesis, stream: &str, shards: u32) {
    let stream = StreamName::new(stream).expect("a name");
    let created = kinesis.create_stream(&stream, shards).await;
    created.expect("the stream is created");
}

/// Puts as many records of `data_bytes` bytes into each of the `shards` equal shards of a stream. Their partition keys
/// are the numbers of the shards.
pub(crate) async fn put_evenly(
    kinesis: &InMemoryKinesis,
    stream: &str,
    shards: u32,
    records_per_shard: usize,
    data_bytes: usize,
) {
    let stream = StreamIdentity::parse(stream).expect("a name");
    let data = vec![b'x'; data_bytes];
    let shards: Vec<(Arc<str>, HashKey)> = (0..shards)
        .map(|shard| {
            let inside = u128::MAX / u128::from(shards) * u128::from(shard) + 1_000_000;
            (shard.to_string().into(), HashKey(inside))
        })
        .collect();
    let records = (0..records_per_shard).flat_map(|_| &shards);
    let mut entries = records.map(|(key, hash_key)| PutEntry {
        data: data.clone().into(),
        partition_key: Arc::clone(key),
        explicit_hash_key: Some(*hash_key),
    });
    loop {
        let request: Vec<PutEntry> = entries.by_ref().take(RECORDS_PER_REQUEST).collect();
        if request.is_empty() {
            break;
        }
        let outcomes = kinesis.put_records(&stream, &request).await;
        for outcome in outcomes.expect("the records are put") {
            outcome.expect("the record is put");
        }
    }
}
