//! Behavior specific to the embedded server: connection faults, HTTP limits, shutdown.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    PutRecordsRequestEntry, RecordDistributionStrategy, ShardIteratorType, StreamMode,
    StreamModeDetails,
};
use datafusion_kinesis::kinesis::{
    ApiError, ApiErrorKind, CONNECTION_LOST, EmbeddedServer, FaultPlan, FaultRates,
    InMemoryKinesis, InMemoryOptions, Operation,
};
use datafusion_kinesis::model::SystemClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn start() -> (Arc<InMemoryKinesis>, EmbeddedServer) {
    let options = InMemoryOptions::default();
    let kinesis = Arc::new(InMemoryKinesis::new(Arc::new(SystemClock), options));
    let server = EmbeddedServer::bind("127.0.0.1:0", Arc::clone(&kinesis));
    let server = server.await.unwrap();
    (kinesis, server)
}

/// Sends `request` unchanged, and returns the whole response.
async fn exchange(server: &EmbeddedServer, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(server.local_addr()).await.unwrap();
    connection.write_all(request).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_lost_connection_is_a_dispatch_failure() {
    let (kinesis, server) = start().await;
    let operation = Operation::ListStreams;
    let lost = ApiError::new(ApiErrorKind::Unavailable, operation, CONNECTION_LOST, "");
    kinesis.fail_next(operation, lost);
    let client = crate::sdk::client(&server.endpoint_url());
    let error = client.list_streams().send().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert!(client.list_streams().send().await.is_ok());
    assert_eq!(kinesis.calls(operation), 2);
}

#[tokio::test]
async fn a_service_error_keeps_its_code() {
    let (kinesis, server) = start().await;
    let operation = Operation::ListStreams;
    let client = crate::sdk::client(&server.endpoint_url());
    for (code, status) in [("LimitExceededException", 400), ("InternalFailure", 500)] {
        let error = ApiError::from_code(operation, code, "scripted");
        kinesis.fail_next(operation, error);
        let error = client.list_streams().send().await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
    }
}

#[tokio::test]
async fn shutdown_completes_requests_in_flight() {
    let (kinesis, server) = start().await;
    let slow = FaultRates::default()
        .with_min_latency(Duration::from_millis(200))
        .with_max_latency(Duration::from_millis(200));
    kinesis.set_faults(FaultPlan::default().with(Operation::ListStreams, slow));
    let client = crate::sdk::client(&server.endpoint_url());
    let under_way = client.list_streams().send();
    let under_way = tokio::spawn(under_way);
    while kinesis.calls(Operation::ListStreams) == 0 {
        tokio::task::yield_now().await;
    }
    let address = server.local_addr();
    server.shutdown().await;
    assert!(under_way.await.unwrap().is_ok());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_body_above_16_mib_is_refused_with_413() {
    let (_, server) = start().await;
    let body = vec![b' '; (16 << 20) + 1];
    let mut request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         X-Amz-Target: Kinesis_20131202.PutRecords\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    let answer = exchange(&server, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("SerializationException"), "{answer}");
}

/// Paused time advances while all tasks wait, so this runs at once.
#[tokio::test(start_paused = true)]
async fn a_connection_with_an_incomplete_request_times_out() {
    let (_, server) = start().await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\n";
    let half_a_body = format!("{head}Content-Length: 10\r\n\r\n{{");
    let idle_later = format!("{head}Content-Length: 2\r\n\r\n{{}}");
    for (request, answer) in [
        ("", ""),
        (head, ""),
        (&half_a_body, "HTTP/1.1 408"),
        (&idle_later, "HTTP/1.1 200"),
    ] {
        let started = tokio::time::Instant::now();
        let all = exchange(&server, request.as_bytes());
        let all = tokio::time::timeout(Duration::from_secs(600), all).await;
        let all = all.unwrap_or_else(|_| panic!("{request:?}: the connection stayed open"));
        assert!(all.starts_with(answer), "{request:?}: {all}");
        assert!(started.elapsed() >= Duration::from_secs(30), "{request:?}");
    }
}

#[tokio::test]
async fn an_on_demand_stream_with_auto_distribution_accepts_records_without_a_key() {
    let (_, server) = start().await;
    let client = crate::sdk::client(&server.endpoint_url());
    let mode = StreamModeDetails::builder().stream_mode(StreamMode::OnDemand);
    let create = client.create_stream().stream_name("spread");
    let create = create
        .stream_mode_details(mode.build().unwrap())
        .record_distribution_strategy(RecordDistributionStrategy::Auto);
    create.send().await.unwrap();
    let keyless = PutRecordsRequestEntry::builder().data(Blob::new("x"));
    let entries = vec![keyless.build().unwrap(); 8];
    let put = client.put_records().stream_name("spread");
    let put = put.set_records(Some(entries.clone())).send().await.unwrap();
    assert_eq!(put.failed_record_count, Some(0));
    let iterator = client.get_shard_iterator().stream_name("spread");
    let iterator = iterator
        .shard_id("shardId-000000000003")
        .shard_iterator_type(ShardIteratorType::TrimHorizon);
    let iterator = iterator.send().await.unwrap().shard_iterator.unwrap();
    let page = client.get_records().shard_iterator(iterator).send();
    let records = page.await.unwrap().records;
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].partition_key, None);

    let summary = client.describe_stream_summary().stream_name("spread");
    let summary = summary.send().await.unwrap();
    let summary = summary.stream_description_summary.unwrap();
    let update = client.update_stream_record_distribution_strategy();
    let update = update
        .stream_arn(summary.stream_arn)
        .record_distribution_strategy(RecordDistributionStrategy::UserPartitionKey);
    update.send().await.unwrap();
    let put = client.put_records().stream_name("spread");
    let refused = put.set_records(Some(entries)).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationException"));
}

#[tokio::test]
async fn many_clients_are_served_concurrently() {
    let (kinesis, server) = start().await;
    let slow = FaultRates::default()
        .with_min_latency(Duration::from_millis(100))
        .with_max_latency(Duration::from_millis(100));
    kinesis.set_faults(FaultPlan::default().with(Operation::ListStreams, slow));
    let started = tokio::time::Instant::now();
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let client = crate::sdk::client(&server.endpoint_url());
            tokio::spawn(async move { client.list_streams().send().await.is_ok() })
        })
        .collect();
    for client in clients {
        assert!(client.await.unwrap());
    }
    assert!(started.elapsed() < Duration::from_millis(16 * 100));
}
