//! Fills a stream with records.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;

/// A stream of `records` plain records of `data_bytes` each, spread evenly over `shards`.
pub(crate) async fn fill(
    client: &Client,
    stream: &str,
    shards: i32,
    records: usize,
    data_bytes: usize,
) {
    let create = client
        .create_stream()
        .stream_name(stream)
        .shard_count(shards);
    create.send().await.expect("the stream is created");
    let mut random = fastrand::Rng::with_seed(7);
    let per_request = (8 << 20) / (data_bytes + 20);
    let per_request = per_request.clamp(1, 500);
    let mut left = records;
    while left > 0 {
        let count = left.min(per_request);
        left -= count;
        let entries = (0..count).map(|_| {
            let data: Vec<u8> = (0..data_bytes).map(|_| random.u8(..)).collect();
            PutRecordsRequestEntry::builder()
                .data(Blob::new(data))
                .partition_key(random.u64(..).to_string())
                .build()
                .expect("an entry has data and a key")
        });
        let request = client.put_records().stream_name(stream);
        let request = request.set_records(Some(entries.collect()));
        let answer = request.send().await.expect("records are put");
        assert_eq!(answer.failed_record_count, Some(0));
    }
}
