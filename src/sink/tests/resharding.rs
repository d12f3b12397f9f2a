//! Resharding while a stream is written.

use super::*;

#[tokio::test(start_paused = true)]
async fn resharding_keeps_all_records_in_order_even_for_kcl_readers() {
    for seed in 0..40 {
        let service = Service::with_shards(2);
        {
            let mut state = service.state();
            state.random = fastrand::Rng::with_seed(seed);
            state.splits = 0.1;
            state.rejections = 0.1;
        }
        let settings = SinkSettings {
            max_aggregate_bytes: 500,
            max_connections: 2,
            record_ttl: Some(Duration::from_secs(3_600)),
            ..SinkSettings::default()
        };
        let batches = [numbered(0..500, 20), numbered(500..1_000, 20)];
        let written = write_all(&service, settings, &batches).await;
        assert_eq!(written.unwrap(), 1_000, "seed {seed}");
        assert_complete_and_in_order(&service.read(), 1_000, 20);
        assert_complete_and_in_order(&service.read_strictly(), 1_000, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_on_a_wrong_shard_is_sent_again_by_the_new_map() {
    let service = Service::with_shards(1);
    let (mut writer, counters) = writer_with(&service, SinkSettings::default()).await;
    service.state().split(0);
    writer.write(&numbered(0..100, 50)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 100);
    let state = service.state();
    // One aggregate by the old map, two by the new map.
    assert_eq!((state.log.len(), state.listings), (3, 2));
    drop(state);
    assert_eq!(service.read_strictly().len(), 100);
    assert_eq!(counters.resent.load(Ordering::Relaxed), 1);
    assert_eq!(counters.rows.load(Ordering::Relaxed), 100);
}

#[tokio::test(start_paused = true)]
async fn a_record_covered_by_its_actual_shard_is_not_sent_again() {
    for rows in [numbered(0..1, 1), numbered(0..100, 1)] {
        let service = Service::with_shards(1);
        let mut writer = writer(&service, SinkSettings::default()).await;
        service.state().split(0);
        let written = rows.num_rows() as u64;
        writer.write(&rows).await.unwrap();
        assert_eq!(writer.finish().await.unwrap(), written);
        assert_eq!(service.state().log.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_writer_reuses_the_shard_map_of_an_earlier_one() {
    let service = Service::with_shards(1);
    let stream = stream(&service, SinkSettings::default());
    service.state().split(0);
    for batch in [numbered(0..100, 50), numbered(100..200, 50)] {
        let random = fastrand::Rng::with_seed(1);
        let writer = SinkWriter::new(Arc::clone(&stream), Arc::default(), random).await;
        let mut writer = writer.unwrap();
        writer.write(&batch).await.unwrap();
        writer.finish().await.unwrap();
    }
    assert_eq!(service.state().listings, 1);
    tokio::time::sleep(Duration::from_secs(301)).await;
    let random = fastrand::Rng::with_seed(1);
    SinkWriter::new(stream, Arc::default(), random)
        .await
        .unwrap();
    assert_eq!(service.state().listings, 2);
}

#[tokio::test(start_paused = true)]
async fn aggregation_stops_when_the_service_starts_to_choose_the_shard() {
    let service = Service::with_shards(8);
    let mut writer = writer(&service, SinkSettings::default()).await;
    service.state().distribution = RecordDistribution::Service;
    for part in 0..10 {
        writer
            .write(&numbered(part * 100..(part + 1) * 100, 100))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        writer.write(&numbered(0..0, 1)).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), 1_000);
    let state = service.state();
    assert!(!looks_aggregated(&state.log.last().unwrap().1.data));
    drop(state);
    // An aggregate stays if its shard happens to cover all of it; all others were sent again.
    let read = service.read_strictly();
    let distinct: HashSet<_> = read.into_iter().map(|(_, data)| data).collect();
    assert_eq!(distinct.len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn many_writers_list_the_shards_once_and_once_per_reshard() {
    let service = Service::with_shards(1);
    let stream = stream(&service, SinkSettings::default());
    let open = |seed| {
        let random = fastrand::Rng::with_seed(seed);
        SinkWriter::new(Arc::clone(&stream), Arc::default(), random)
    };
    let writers: Result<Vec<_>> = futures::future::join_all((0..100).map(open))
        .await
        .into_iter()
        .collect();
    let readings = || {
        let state = service.state();
        (state.descriptions, state.listings)
    };
    assert_eq!(readings(), (1, 1));
    service.state().split(0);
    let rows = numbered(0..100, 50);
    let write = async |mut writer: SinkWriter| {
        writer.write(&rows).await?;
        writer.finish().await
    };
    let written = futures::future::join_all(writers.unwrap().into_iter().map(write)).await;
    let written: Result<Vec<u64>> = written.into_iter().collect();
    assert_eq!(written.unwrap(), [100; 100]);
    assert_eq!(readings(), (2, 2));
}
