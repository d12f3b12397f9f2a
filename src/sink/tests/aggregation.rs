//! Aggregates, and the size limits of records and requests.

use super::*;

#[tokio::test(start_paused = true)]
async fn small_rows_are_sent_as_one_aggregate_per_shard() {
    let service = Service::with_shards(4);
    let (mut writer, counters) = writer_with(&service, SinkSettings::default()).await;
    writer.write(&numbered(0..1_000, 100)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 1_000);
    let state = service.state();
    assert_eq!((state.requests.len(), state.log.len()), (1, 4));
    for (shard, entry) in &state.log {
        assert_eq!(&*entry.partition_key, "a");
        let records = user_records(entry);
        assert_eq!(entry.explicit_hash_key, Some(records[0].1));
        assert!(
            records
                .iter()
                .all(|(_, hash, _)| shard.hash_range.contains(*hash))
        );
    }
    drop(state);
    assert_complete_and_in_order(&service.read(), 1_000, 100);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(count(&counters.rows), 1_000);
    assert_eq!((count(&counters.records), count(&counters.calls)), (4, 1));
    assert_eq!(
        (count(&counters.resent), count(&counters.throttled)),
        (0, 0)
    );
    let log = &service.state().log;
    let bytes: usize = log.iter().map(|(_, entry)| entry.size_bytes()).sum();
    assert_eq!(count(&counters.bytes), bytes as u64);
}

#[tokio::test(start_paused = true)]
async fn aggregates_keep_their_size_limit_and_larger_rows_are_sent_plain_in_order() {
    let service = Service::with_shards(1);
    let mut rows: Vec<_> = (0..300)
        .map(|n| (n.to_string(), vec![b'x'; 1_000]))
        .collect();
    rows[150].1 = vec![b'y'; 60_000];
    write_all(&service, SinkSettings::default(), &[batch(&rows)])
        .await
        .unwrap();
    let state = service.state();
    for (_, entry) in &state.log {
        let alone = entry.data.len() == 60_000;
        assert!(alone || entry.data.len() <= 51_200);
        assert_eq!(&*entry.partition_key, if alone { "150" } else { "a" });
    }
    drop(state);
    let keys: Vec<_> = service.read().into_iter().map(|(key, _)| key).collect();
    let expected: Vec<_> = (0..300).map(|n: usize| n.to_string()).collect();
    assert_eq!(keys, expected);
}

#[tokio::test(start_paused = true)]
async fn a_single_row_is_sent_plain_with_its_keys() {
    let service = Service::with_shards(4);
    let columns: [(&str, ArrayRef); 3] = [
        ("partitionKey", Arc::new(StringArray::from(vec!["lone"]))),
        ("data", Arc::new(StringArray::from(vec![""]))),
        ("explicitHashKey", Arc::new(StringArray::from(vec!["7"]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    write_all(&service, SinkSettings::default(), &[batch])
        .await
        .unwrap();
    let state = service.state();
    let (shard, entry) = &state.log[0];
    assert!(shard.hash_range.contains(HashKey(7)));
    assert_eq!(&*entry.partition_key, "lone");
    assert_eq!(entry.explicit_hash_key, Some(HashKey(7)));
    assert!(entry.data.is_empty());
}

#[tokio::test(start_paused = true)]
async fn requests_keep_to_500_records_and_10_mib() {
    let service = Service::with_shards(4);
    write_all(
        &service,
        without_aggregation(),
        &[numbered(0..2_000, 2_000)],
    )
    .await
    .unwrap();
    let sizes: Vec<_> = service.state().requests.iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 2_000);
    assert!(sizes.contains(&500), "{sizes:?}");

    let service = Service::with_shards(4);
    let rows: Vec<_> = (0..30).map(|n| (n.to_string(), vec![0; MIB - 2])).collect();
    let settings = SinkSettings {
        max_buffered_bytes: 40 * MIB,
        ..without_aggregation()
    };
    write_all(&service, settings, &[batch(&rows)])
        .await
        .unwrap();
    let sizes: Vec<_> = service.state().requests.iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_10_mib_is_written_to_a_stream_configured_for_it() {
    for settings in [without_aggregation(), SinkSettings::default()] {
        let service = Service::with_shards(2);
        service.state().max_record_bytes = 10 * MIB;
        let rows = [("k", vec![1; 10 * MIB - 1]), ("k", vec![2; 3])];
        assert_eq!(
            write_all(&service, settings, &[batch(&rows)])
                .await
                .unwrap(),
            2
        );
        let read = service.read();
        assert_eq!((read[0].1.len(), read[1].1.len()), (10 * MIB - 1, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn records_do_not_wait_for_their_key_if_the_service_chooses_the_shard() {
    let service = Service::with_shards(2);
    service.state().distribution = RecordDistribution::Service;
    service.state().answers = [Answer::Refuse(vec![0, 499])].into();
    write_all(&service, SinkSettings::default(), &[numbered(0..1_000, 1)])
        .await
        .unwrap();
    let state = service.state();
    assert_eq!(state.requests.iter().map(Vec::len).max(), Some(500));
    assert_eq!((state.log.len(), state.listings), (1_000, 0));
}
