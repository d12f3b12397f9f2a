//! Streams, listings, and protocol errors.

use aws_sdk_kinesis::types::{StreamMode, StreamModeDetails};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

pub(super) async fn shards_are_listed_in_pages(wire: Wire) {
    let stream = wire.stream(7).await;
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    let mut token = None;
    loop {
        let list = wire.client.list_shards().max_results(3);
        let list = match token {
            None => list.stream_name(&stream),
            Some(token) => list.next_token(token),
        };
        let page = list.send().await.unwrap();
        let shards = page.shards.unwrap();
        sizes.push(shards.len());
        seen.extend(shards.into_iter().map(|shard| shard.shard_id));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    let expected: Vec<_> = (0..7).map(|index| format!("shardId-{index:012}")).collect();
    assert_eq!(seen, expected);
}

pub(super) async fn shards_are_listed_after_a_shard(wire: Wire) {
    let stream = wire.stream(3).await;
    let list = wire.client.list_shards().stream_name(&stream);
    let list = list.exclusive_start_shard_id("shardId-000000000001");
    let shards = list.send().await.unwrap().shards.unwrap();
    assert_eq!(shards.len(), 1);
    assert_eq!(shards[0].shard_id, "shardId-000000000002");
}

pub(super) async fn a_page_token_and_a_stream_name_do_not_go_together(wire: Wire) {
    let stream = wire.stream(2).await;
    let list = wire.client.list_shards().stream_name(&stream);
    let page = list.max_results(1).send().await.unwrap();
    let token = page.next_token.expect("a second page");
    let list = wire.client.list_shards().stream_name(&stream);
    let refused = list
        .next_token(token)
        .send()
        .await
        .map_err(|error| code(&error));
    assert_eq!(refused.unwrap_err(), "InvalidArgumentException");
}

pub(super) async fn every_call_takes_an_arn(wire: Wire) {
    let stream = wire.stream(1).await;
    let arn = wire.settle(&stream).await;
    let client = &wire.client;
    let summary = client.describe_stream_summary().stream_arn(&arn).send();
    let summary = summary.await.unwrap().stream_description_summary.unwrap();
    assert_eq!(summary.stream_name, stream);
    let put = client.put_record().stream_arn(&arn).partition_key("k");
    let written = put.data(Blob::new("a")).send().await.unwrap();
    let put = client.put_records().stream_arn(&arn);
    let put = put.records(entry("k", "b")).send().await.unwrap();
    assert_eq!(put.failed_record_count, Some(0));
    let shards = client.list_shards().stream_arn(&arn).send().await.unwrap();
    assert_eq!(shards.shards().len(), 1);
    let iterator = client.get_shard_iterator().stream_arn(&arn);
    let iterator = iterator
        .shard_id(written.shard_id)
        .shard_iterator_type(ShardIteratorType::TrimHorizon);
    let iterator = iterator.send().await.unwrap().shard_iterator.unwrap();
    let page = client.get_records().stream_arn(&arn);
    let page = page.shard_iterator(iterator).send().await.unwrap();
    assert_eq!(texts(&page.records), ["a", "b"]);
}

pub(super) async fn a_stream_cannot_be_made_twice_and_is_gone_once_deleted(wire: Wire) {
    let stream = wire.stream(1).await;
    let create = wire.client.create_stream().stream_name(&stream);
    let again = create
        .shard_count(1)
        .send()
        .await
        .map_err(|error| code(&error));
    assert_eq!(again.unwrap_err(), "ResourceInUseException");
    let listed = wire.client.list_streams().limit(1_000).send();
    assert!(listed.await.unwrap().stream_names.contains(&stream));
    let delete = wire.client.delete_stream().stream_name(&stream);
    delete.send().await.unwrap();
    let gone = loop {
        let describe = wire.client.describe_stream_summary();
        match describe.stream_name(&stream).send().await {
            Ok(_) => sleep(Duration::from_millis(20)).await,
            Err(error) => break code(&error),
        }
    };
    assert_eq!(gone, "ResourceNotFoundException");
}

pub(super) async fn an_on_demand_stream_begins_with_four_shards(wire: Wire) {
    let stream = format!("wire-on-demand-{}", std::process::id());
    let mode = StreamModeDetails::builder().stream_mode(StreamMode::OnDemand);
    let create = wire.client.create_stream().stream_name(&stream);
    let create = create.stream_mode_details(mode.build().unwrap());
    create.send().await.unwrap();
    wire.settle(&stream).await;
    assert_eq!(wire.shards(&stream).await.len(), 4);
}

pub(super) async fn a_summary_describes_the_stream(wire: Wire) {
    let stream = wire.stream(3).await;
    let summary = wire.client.describe_stream_summary().stream_name(&stream);
    let summary = summary.send().await.unwrap();
    let summary = summary.stream_description_summary.unwrap();
    assert_eq!(summary.open_shard_count, 3);
    assert_eq!(summary.retention_period_hours, 24);
    let mode = summary.stream_mode_details.unwrap().stream_mode;
    assert_eq!(mode, StreamMode::Provisioned);
    let described = wire.client.describe_stream().stream_name(&stream).send();
    let described = described.await.unwrap().stream_description.unwrap();
    assert_eq!(described.shards.len(), 3);
    assert!(!described.has_more_shards);
}

pub(super) async fn retention_can_be_changed_between_a_day_and_a_year(wire: Wire) {
    let stream = wire.stream(1).await;
    for (hours, taken) in [(48, true), (8_760, true), (8_761, false)] {
        let increase = wire.client.increase_stream_retention_period();
        let increase = increase.stream_name(&stream).retention_period_hours(hours);
        assert_eq!(increase.send().await.is_ok(), taken, "{hours}");
        wire.settle(&stream).await;
    }
    for (hours, taken) in [(24, true), (23, false)] {
        let decrease = wire.client.decrease_stream_retention_period();
        let decrease = decrease.stream_name(&stream).retention_period_hours(hours);
        assert_eq!(decrease.send().await.is_ok(), taken, "{hours}");
        wire.settle(&stream).await;
    }
}

/// Sends a request unchanged, without the SDK, and returns the whole response.
async fn raw(wire: &Wire, target: &str, body: &str) -> String {
    let host = wire.endpoint.trim_start_matches("http://");
    let mut connection = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Amz-Target: {target}\r\n\
         Content-Type: application/x-amz-json-1.1\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kinesis/aws4_request, \
         SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

pub(super) async fn an_unknown_operation_is_named_as_such(wire: Wire) {
    let answer = raw(&wire, "Kinesis_20131202.BrewCoffee", "{}").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("UnknownOperationException"), "{answer}");
}

pub(super) async fn a_garbled_body_is_a_serialization_error(wire: Wire) {
    let answer = raw(&wire, "Kinesis_20131202.ListStreams", "{\"Limit\":").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("SerializationException"), "{answer}");
}
