//! Failed requests: which are retried, and which end the query.

use super::*;
use crate::error::ErrorKind;
use crate::kinesis::{ApiError, FaultPlan, FaultRates};
use crate::source::test_service::TestService;

#[tokio::test(start_paused = true)]
async fn a_throttled_shard_does_not_delay_others() {
    let fixture = Fixture::with_shards(4).await;
    let service = Arc::new(TestService {
        throttled: Some(shard(0)),
        ..TestService::over(&fixture.kinesis)
    });
    let reader = fixture.read_through(service, from_trim_horizon()).await;
    for number in 0..200 {
        fixture.put(&format!("{number} x")).await;
    }
    let half: usize = reader.rows(130).await.len();
    assert!((130..200).contains(&half));
    sleep(Duration::from_secs(3_600)).await;
    let mut delivered = 0;
    for number in 0..50 {
        let text = format!("{number} y");
        fixture.put(&text).await;
        let rows = tokio::time::timeout(Duration::from_millis(250), reader.next_rows()).await;
        delivered += usize::from(rows.is_ok_and(|rows| rows == [text]));
    }
    // A quarter of the keys belongs to the throttled shard.
    assert!((30..50).contains(&delivered), "{delivered}");
    let throttled = reader.status().throttled_calls;
    // One every 5 to 10 s.
    assert!((360..=730).contains(&throttled), "{throttled}");
}

#[tokio::test(start_paused = true)]
async fn faults_do_not_lose_or_repeat_rows() {
    let fixture = Fixture::with_shards(3).await;
    let rates = FaultRates {
        throttled: 0.1,
        internal_failure: 0.1,
        connection_lost: 0.1,
        answer_lost: 0.1,
        expired_iterator: 0.1,
        empty_page: 0.1,
        ..FaultRates::default()
    };
    let plan = [
        Operation::GetRecords,
        Operation::GetShardIterator,
        Operation::ListShards,
    ];
    let plan = plan.iter().fold(FaultPlan::default(), |plan, operation| {
        let mut rates = rates;
        if *operation != Operation::GetRecords {
            (rates.expired_iterator, rates.empty_page) = (0.0, 0.0);
        }
        plan.with(*operation, rates)
    });
    let reader = fixture.read_all().await;
    fixture.kinesis.set_faults(plan);
    let mut expected = Vec::new();
    let mut rows = Vec::new();
    for round in 0..20 {
        for number in 0..20 {
            let text = format!("{number} {round}");
            fixture.put(&text).await;
            expected.push(text);
        }
        rows.extend(reader.next_rows().await);
    }
    rows.extend(reader.rows(expected.len() - rows.len()).await);
    rows.sort();
    expected.sort();
    assert_eq!(rows, expected);
    let status = reader.status();
    assert!(status.throttled_calls > 0 && status.retries > 0 && status.iterator_renewals > 0);
}

#[tokio::test(start_paused = true)]
async fn an_iterator_that_expires_while_buffers_are_full_is_renewed() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.buffer_max_bytes = 100_000;
    fixture.options.records_per_fetch = 10;
    let texts: Vec<String> = (0..200)
        .map(|number| format!("k {number} {}", "x".repeat(1_000)))
        .collect();
    for text in &texts {
        fixture.put(text).await;
    }
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(reader.rows(200).await, texts);
    assert_eq!(reader.status().iterator_renewals, 1);
}

#[tokio::test(start_paused = true)]
async fn access_denied_ends_the_query_with_the_location() {
    let fixture = Fixture::with_shards(1).await;
    let reader = fixture.read_all().await;
    fixture.put("apple 1").await;
    reader.rows(1).await;
    let code = "AccessDeniedException";
    let error = ApiError::from_code(Operation::GetRecords, code, "no");
    fixture.kinesis.fail_next(Operation::GetRecords, error);
    let error = loop {
        reader.changed().await;
        if let Err(error) = reader.readiness(Instant::now()) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    let message = error.to_string();
    let place = "stream 'words', shard 'shardId-000000000000', position AFTER ";
    assert!(message.starts_with(place), "{message}");
    assert!(reader.readiness(Instant::now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_ends_the_query() {
    let fixture = Fixture::with_shards(2).await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(1)).await;
    fixture
        .kinesis
        .delete_stream(&fixture.stream)
        .await
        .unwrap();
    let error = loop {
        reader.changed().await;
        if let Err(error) = reader.readiness(Instant::now()) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("was deleted while"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_merged_shard_waits_for_a_parent_that_is_not_listed_yet() {
    let mut fixture = Fixture::with_shards(2).await;
    fixture.options.describe_shard_interval = Duration::from_secs(5);
    let service = Arc::new(TestService {
        throttled: Some(shard(1)),
        ..TestService::over(&fixture.kinesis)
    });
    let reader = fixture.read_through(service, from_trim_horizon()).await;
    let (kinesis, stream) = (&fixture.kinesis, &fixture.stream);
    let at = HashKey(3 << 126);
    kinesis.split_shard(stream, &shard(1), at).await.unwrap();
    let [left, right] = [shard(0), shard(2)];
    kinesis.merge_shards(stream, &left, &right).await.unwrap();
    for text in 0..20 {
        fixture.put(&format!("{text} x")).await;
    }
    sleep(Duration::from_secs(60)).await;
    // Shards 2 and 4 descend from shard 1, which is throttled.
    assert_eq!(reader.readiness(Instant::now()).unwrap(), Readiness::NoData);
    let tracked = reader.take().ranges.shards;
    assert_eq!(tracked.keys().count(), 5);
}
