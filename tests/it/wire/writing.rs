//! Routing, order and sizes of puts.

use std::collections::BTreeSet;

use super::*;

pub(super) async fn keys_go_by_md5_and_explicit_hash_keys_go_before(wire: Wire) {
    let stream = wire.stream(2).await;
    let [low, high] = ["shardId-000000000000", "shardId-000000000001"];
    // The MD5 of "a" begins with 0x0c, that of "pk1" with 0xf7.
    assert_eq!(wire.put(&stream, "a").await.0, low);
    assert_eq!(wire.put(&stream, "pk1").await.0, high);
    let half = 1_u128 << 127;
    for (hash_key, shard) in [(0, low), (half - 1, low), (half, high)] {
        let put = wire.client.put_record().stream_name(&stream);
        let put = put.partition_key("a").data(Blob::new("x"));
        let written = put.explicit_hash_key(hash_key.to_string()).send().await;
        assert_eq!(written.unwrap().shard_id, shard, "{hash_key}");
    }
}

pub(super) async fn the_last_hash_key_belongs_to_the_last_shard(wire: Wire) {
    let stream = wire.stream(3).await;
    let put = wire.client.put_record().stream_name(&stream);
    let put = put.partition_key("a").data(Blob::new("x"));
    let written = put.explicit_hash_key(u128::MAX.to_string()).send().await;
    assert_eq!(written.unwrap().shard_id, "shardId-000000000002");
}

pub(super) async fn records_come_back_in_order_as_they_were(wire: Wire) {
    let stream = wire.stream(1).await;
    let keys = ["plain", "é世", "\"quoted\"\n"];
    for round in 0..3_u8 {
        let all: Vec<u8> = (0..=255).map(|byte: u8| byte.wrapping_add(round)).collect();
        let entries = keys.map(|key| entry(key, all.clone()));
        wire.put_many(&stream, entries.into()).await;
    }
    let horizon = wire.horizon(&stream, "shardId-000000000000").await;
    let page = wire.fetch(&horizon, 100).await.unwrap();
    assert_eq!(page.records.len(), 9);
    let mut last = (0, String::new());
    for (number, record) in page.records.iter().enumerate() {
        assert_eq!(record.partition_key.as_deref(), Some(keys[number % 3]));
        let data = record.data.as_ref();
        assert_eq!((data.len(), usize::from(data[0])), (256, number / 3));
        let digits = record.sequence_number.clone();
        let next = (digits.len(), digits);
        assert!(next > last, "{next:?} after {last:?}");
        last = next;
    }
}

pub(super) async fn many_writers_and_a_reader_lose_nothing(wire: Wire) {
    let stream = wire.stream(1).await;
    let wire = Arc::new(wire);
    let writers: Vec<_> = (0..6)
        .map(|writer| {
            let (wire, stream) = (Arc::clone(&wire), stream.clone());
            tokio::spawn(async move {
                for round in 0..10 {
                    let text = |number| format!("{writer}/{round}/{number}");
                    let entries = (0..10).map(|number| entry("k", text(number)));
                    wire.put_many(&stream, entries.collect()).await;
                }
            })
        })
        .collect();
    let mut iterator = wire.horizon(&stream, "shardId-000000000000").await;
    let mut seen = Vec::new();
    while seen.len() < 600 {
        let page = wire.fetch(&iterator, 25).await.unwrap();
        seen.extend(texts(&page.records));
        iterator = page.next_shard_iterator.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 600);
}

/// Whether a put of these entries is accepted.
async fn is_taken(wire: &Wire, stream: &str, entries: Vec<PutRecordsRequestEntry>) -> bool {
    let put = wire.client.put_records().stream_name(stream);
    let put = put.set_records(Some(entries)).send().await;
    put.is_ok_and(|put| put.failed_record_count == Some(0))
}

pub(super) async fn more_than_five_hundred_entries_are_refused(wire: Wire) {
    let stream = wire.stream(1).await;
    let entries = |count| (0..count).map(|_| entry("k", "x")).collect();
    assert!(!is_taken(&wire, &stream, entries(501)).await);
    assert!(is_taken(&wire, &stream, entries(500)).await);
}

pub(super) async fn more_than_ten_mebibytes_are_refused(wire: Wire) {
    let stream = wire.stream(1).await;
    let entries = (0..11).map(|_| entry("k", vec![b'x'; 1_000_000]));
    assert!(!is_taken(&wire, &stream, entries.collect()).await);
}

pub(super) async fn six_mebibytes_in_one_put_are_taken(wire: Wire) {
    let stream = wire.stream(1).await;
    let entries = (0..6).map(|_| entry("k", vec![b'x'; (1 << 20) - 1]));
    assert!(is_taken(&wire, &stream, entries.collect()).await);
}

pub(super) async fn a_record_above_a_mebibyte_is_refused(wire: Wire) {
    let stream = wire.stream(1).await;
    let large = entry("k", vec![b'x'; (1 << 20) + 1]);
    assert!(!is_taken(&wire, &stream, vec![large]).await);
    let horizon = wire.horizon(&stream, "shardId-000000000000").await;
    assert!(wire.texts(&horizon).await.is_empty());
}

pub(super) async fn a_stream_can_be_set_up_for_larger_records(wire: Wire) {
    let stream = wire.stream(1).await;
    let arn = wire.settle(&stream).await;
    let update = wire.client.update_max_record_size().stream_arn(arn);
    update.max_record_size_in_kib(4_096).send().await.unwrap();
    wire.settle(&stream).await;
    let large = entry("k", vec![b'x'; 3 << 20]);
    assert!(is_taken(&wire, &stream, vec![large]).await);
    let horizon = wire.horizon(&stream, "shardId-000000000000").await;
    let page = wire.fetch(&horizon, 1).await.unwrap();
    assert_eq!(page.records[0].data.as_ref().len(), 3 << 20);
}
