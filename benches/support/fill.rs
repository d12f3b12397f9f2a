//! Fills a stream with records.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;

/// A stream of `records` plain records, spread evenly over `shards`. `payload` gives the data of each.
pub(crate) async fn fill(
    client: &Client,
    stream: &str,
    shards: i32,
    records: usize,
    mut payload: impl FnMut(usize) -> Vec<u8>,
) {
    const RECORDS_PER_REQUEST: usize = 500;
    const BYTES_PER_REQUEST: usize = 8 << 20;
    let create = client
        .create_stream()
        .stream_name(stream)
        .shard_count(shards);
    create.send().await.expect("the stream is created");
    let mut random = fastrand::Rng::with_seed(7);
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for record in 0..records {
        let data = payload(record);
        bytes += data.len();
        let entry = PutRecordsRequestEntry::builder()
            .data(Blob::new(data))
            .partition_key(random.u64(..).to_string())
            .build();
        entries.push(entry.expect("an entry has data and a key"));
        let is_full = entries.len() == RECORDS_PER_REQUEST || bytes >= BYTES_PER_REQUEST;
        if is_full || record + 1 == records {
            let request = client.put_records().stream_name(stream);
            let request = request.set_records(Some(std::mem::take(&mut entries)));
            let answer = request.send().await.expect("records are put");
            assert_eq!(answer.failed_record_count, Some(0));
            bytes = 0;
        }
    }
}

/// Payloads of `data_bytes` random bytes.
pub(crate) fn random_payloads(data_bytes: usize) -> impl FnMut(usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(8);
    move |_| (0..data_bytes).map(|_| random.u8(..)).collect()
}
