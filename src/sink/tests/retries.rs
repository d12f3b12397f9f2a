//! Rejected records, lost responses, and permanent failures.

use super::*;

#[tokio::test(start_paused = true)]
async fn only_rejected_records_are_sent_again() {
    let service = Service::with_shards(1);
    service.state().answers = [Answer::Refuse(vec![1, 3]), Answer::Refuse(vec![0])].into();
    let (mut writer, counters) = writer_with(&service, without_aggregation()).await;
    writer.write(&numbered(0..5, 5)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 5);
    let data = |entries: &Vec<PutEntry>| -> Vec<String> {
        (entries.iter())
            .map(|entry| String::from_utf8(entry.data.to_vec()).unwrap())
            .collect()
    };
    let requests: Vec<_> = service.state().requests.iter().map(data).collect();
    assert_eq!(requests[0], ["0", "1", "2", "3", "4"]);
    let mut again: Vec<_> = requests[1..].concat();
    again.sort();
    again.dedup();
    assert_eq!(again, ["1", "3"]);
    assert_eq!(service.read().len(), 5);
    assert_eq!(counters.resent.load(Ordering::Relaxed), 3);
    assert_eq!(counters.throttled.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_or_lost_request_is_sent_again_as_a_whole() {
    let service = Service::with_shards(1);
    service.state().answers = [Answer::Fail("ThrottlingException"), Answer::Lose].into();
    let written = write_all(&service, SinkSettings::default(), &[numbered(0..10, 2)]).await;
    assert_eq!(written.unwrap(), 10);
    assert_eq!(service.state().requests.len(), 3);
    // Twice, because the acknowledgement of the first copy was lost.
    assert_eq!(service.read().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn order_per_key_survives_rejections_and_lost_acknowledgements() {
    for (seed, aggregation) in (0..30).flat_map(|seed| [(seed, true), (seed, false)]) {
        let service = Service::with_shards(3);
        {
            let mut state = service.state();
            state.random = fastrand::Rng::with_seed(seed);
            state.rejections = 0.3;
        }
        let settings = SinkSettings {
            aggregation,
            max_aggregate_bytes: 400,
            max_connections: 3,
            record_ttl: Some(Duration::from_secs(3_600)),
            ..SinkSettings::default()
        };
        let batches = [numbered(0..300, 7), numbered(300..400, 7)];
        assert_eq!(write_all(&service, settings, &batches).await.unwrap(), 400);
        assert_complete_and_in_order(&service.read(), 400, 7);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_rejected_for_its_time_to_live_fails_with_its_shard_and_reason() {
    for settings in [without_aggregation(), SinkSettings::default()] {
        let service = Service::with_shards(2);
        service.state().rejections = 1.0;
        service.state().answers = (0..1_000).map(|_| Answer::Refuse(vec![0])).collect();
        let began = Instant::now();
        let error = outcome_of(write_all(&service, settings, &[numbered(0..10, 1)]).await);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let message = error.to_string();
        for part in [
            "stream 'words'",
            "shardId-00000000000",
            "'key-0'",
            "30s",
            "Rate exceeded",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let waited = began.elapsed();
        assert!((30..32).contains(&waited.as_secs()), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn permanent_errors_fail_at_once() {
    for (code, kind) in [
        ("ResourceNotFoundException", ErrorKind::NotFound),
        ("AccessDeniedException", ErrorKind::AccessDenied),
    ] {
        let service = Service::with_shards(2);
        service.state().answers = [Answer::Fail(code)].into();
        let error =
            outcome_of(write_all(&service, without_aggregation(), &[numbered(0..10, 1)]).await);
        assert_eq!(error.kind(), kind);
        assert_eq!(service.state().requests.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_with_too_few_outcomes_is_an_internal_error() {
    let service = Service::with_shards(1);
    service.state().answers = [Answer::Short].into();
    let error =
        outcome_of(write_all(&service, without_aggregation(), &[numbered(0..10, 10)]).await);
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(
        error.to_string().contains("10 records returned 9 outcomes"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_connection_does_not_use_up_the_time_to_live() {
    for aggregation in [true, false] {
        let service = Service::with_shards(1);
        service.state().latency = Some(Duration::from_secs(20));
        // The last writer has waited three times its time to live.
        let taken = (0..5).map(|_| Answer::Refuse(vec![]));
        service.state().answers = taken.chain([Answer::Refuse(vec![0])]).collect();
        let settings = SinkSettings {
            aggregation,
            ..SinkSettings::default()
        };
        let stream = stream(&service, settings);
        let write = async |seed| {
            let random = fastrand::Rng::with_seed(seed);
            let mut writer = SinkWriter::new(Arc::clone(&stream), Arc::default(), random).await?;
            writer.write(&numbered(0..10, 10)).await?;
            writer.finish().await
        };
        let written = futures::future::join_all((0..6).map(write)).await;
        let written: Result<Vec<u64>> = written.into_iter().collect();
        assert_eq!(written.unwrap(), [10; 6]);
        assert_eq!(service.state().requests.len(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_slower_than_the_time_to_live_gets_a_second_attempt() {
    let service = Service::with_shards(1);
    service.state().latency = Some(Duration::from_secs(60));
    service.state().answers = [Answer::Fail("RequestTimeout")].into();
    let written = write_all(&service, SinkSettings::default(), &[numbered(0..10, 2)]).await;
    assert_eq!(written.unwrap(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_calls_rarely_still_gets_a_second_attempt() {
    let service = Service::with_shards(1);
    service.state().answers = [Answer::Refuse(vec![0])].into();
    let mut writer = writer(&service, without_aggregation()).await;
    for part in 0..3 {
        writer.write(&numbered(part..part + 1, 3)).await.unwrap();
        writer.progress().await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(writer.finish().await.unwrap(), 3);
}
