//! Back-pressure, buffering times, and writers that share a stream.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_full_buffer_makes_the_caller_wait() {
    for aggregation in [true, false] {
        let service = Service::with_shards(4);
        let settings = SinkSettings {
            aggregation,
            max_buffered_bytes: 100_000,
            ..SinkSettings::default()
        };
        let mut writer = writer(&service, settings).await;
        let rows: Vec<_> = (0..1_000)
            .map(|n| (n.to_string(), vec![0; 1_000]))
            .collect();
        let began = Instant::now();
        writer.write(&batch(&rows)).await.unwrap();
        // 90 % of the rows must be written, and none waited in an aggregate.
        assert!(service.read().len() >= 850, "{}", service.read().len());
        assert!(began.elapsed() < Duration::from_millis(300));
        assert_eq!(writer.finish().await.unwrap(), 1_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_waits_in_an_aggregate_at_most_the_buffering_time() {
    let service = Service::with_shards(1);
    let mut writer = writer(&service, SinkSettings::default()).await;
    writer.write(&numbered(0..10, 1)).await.unwrap();
    let wait = async |writer: &mut SinkWriter, millis| {
        let until = tokio::time::sleep(Duration::from_millis(millis));
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => break,
                progress = writer.progress() => progress.unwrap(),
            }
        }
    };
    wait(&mut writer, 990).await;
    assert!(service.state().requests.is_empty());
    wait(&mut writer, 30).await;
    assert_eq!(service.read().len(), 10);
    assert_eq!(writer.finish().await.unwrap(), 10);
}

#[tokio::test(start_paused = true)]
async fn writers_of_a_stream_share_its_connection_limit() {
    let service = Service::with_shards(1);
    let settings = SinkSettings {
        max_connections: 2,
        ..without_aggregation()
    };
    let stream = stream(&service, settings);
    let write = async |seed| {
        let random = fastrand::Rng::with_seed(seed);
        let mut writer = SinkWriter::new(Arc::clone(&stream), Arc::default(), random).await?;
        writer.write(&numbered(0..5_000, 5_000)).await?;
        writer.finish().await
    };
    let (a, b, c) = tokio::join!(write(1), write(2), write(3));
    assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), 15_000);
    assert_eq!(service.state().most_in_flight, 2);
}

#[tokio::test(start_paused = true)]
async fn writers_share_a_saturated_stream_fairly_and_efficiently() {
    for (writers, rows_each, aggregation, distribution) in [
        (1, 10_000, true, RecordDistribution::PartitionKey),
        (1, 10_000, false, RecordDistribution::PartitionKey),
        (1, 10_000, false, RecordDistribution::Service),
        (16, 2_500, true, RecordDistribution::PartitionKey),
        (16, 2_500, false, RecordDistribution::PartitionKey),
        (16, 2_500, false, RecordDistribution::Service),
    ] {
        let what = format!("{writers} {aggregation} {distribution:?}");
        let service = Service::with_shards(1);
        {
            let mut state = service.state();
            state.bytes_per_second = Some(MIB as f64);
            state.distribution = distribution;
        }
        let settings = SinkSettings {
            aggregation,
            max_connections: writers,
            ..SinkSettings::default()
        };
        let stream = stream(&service, settings);
        let rows = |n| (format!("key-{n}"), vec![0; 1_000]);
        let batch = batch(&(0..rows_each).map(rows).collect::<Vec<_>>());
        let began = Instant::now();
        let write = async |seed| {
            let random = fastrand::Rng::with_seed(seed);
            let mut writer = SinkWriter::new(Arc::clone(&stream), Arc::default(), random).await?;
            writer.write(&batch).await?;
            writer.finish().await
        };
        let written = futures::future::join_all((0..writers as u64).map(write)).await;
        let written: Result<Vec<u64>> = written.into_iter().collect();
        assert_eq!(written.expect(&what).len(), writers);
        let seconds = began.elapsed().as_secs_f64();
        let state = service.state();
        let sent: usize = state.requests.iter().map(Vec::len).sum();
        let bytes: usize = state.log.iter().map(|(_, entry)| entry.size_bytes()).sum();
        let least = bytes as f64 / MIB as f64;
        assert!(
            seconds < least * 1.2,
            "{what}: {seconds} s for what takes {least} s"
        );
        assert!(
            sent < state.log.len() * 5,
            "{what}: {sent} tries for {}",
            state.log.len()
        );
    }
}
