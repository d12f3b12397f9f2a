//! What people write by hand: the plain SDK, and one task per shard.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};

/// Reads all shards of a stream up to their tips, each with a `T` that `take` gives the records of each page.
pub(crate) async fn read_shards<T: Default + Send + 'static>(
    client: &Client,
    stream: &str,
    shards: i32,
    page_records: i32,
    take: fn(&mut T, &[Record]),
) -> Vec<T> {
    let tasks = (0..shards).map(|shard| {
        let (client, stream) = (client.clone(), stream.to_owned());
        tokio::spawn(async move {
            let mut iterator = iterator(&client, &stream, shard).await;
            let mut taken = T::default();
            while let Some(place) = iterator {
                let request = client.get_records().shard_iterator(place);
                let page = request.limit(page_records).send().await.expect("a page");
                take(&mut taken, &page.records);
                if page.millis_behind_latest == Some(0) {
                    break;
                }
                iterator = page.next_shard_iterator;
            }
            taken
        })
    });
    let mut taken = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        taken.push(task.await.expect("a shard is read"));
    }
    taken
}

/// The iterator at the oldest record.
pub(crate) async fn iterator(client: &Client, stream: &str, shard: i32) -> Option<String> {
    let start = client
        .get_shard_iterator()
        .stream_name(stream)
        .shard_id(format!("shardId-{shard:012}"))
        .shard_iterator_type(ShardIteratorType::TrimHorizon);
    start.send().await.expect("an iterator").shard_iterator
}
