//! Handlers for tags, addressed by stream or by resource ARN.

use serde_json::{Value, json};

use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::kinesis::simulator::http_server::request::ApiRequest;
use crate::kinesis::simulator::state::settings::Tags;
use crate::kinesis::{InMemoryKinesis, Operation};
use crate::model::StreamIdentity;

pub(super) async fn add(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
    operation: Operation,
) -> Result<(), ErrorResponse> {
    let stream = tagged(request, operation)?;
    let tags = request.members.text_map("Tags")?;
    Ok(kinesis.add_tags(operation, &stream, tags).await?)
}

pub(super) async fn remove(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
    operation: Operation,
) -> Result<(), ErrorResponse> {
    let stream = tagged(request, operation)?;
    let keys = request.members.texts("TagKeys")?;
    Ok(kinesis.remove_tags(operation, &stream, &keys).await?)
}

pub(super) async fn list_of_stream(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    const DEFAULT_LIMIT: usize = 50;
    let limit = request.members.count("Limit", DEFAULT_LIMIT)?;
    let after = request.members.text("ExclusiveStartTagKey")?;
    let stream = request.stream()?;
    let tags = kinesis.tags(Operation::ListTagsForStream, &stream).await?;
    let follows = |key: &str| after.is_none_or(|after| key > after);
    let mut tags = tags.iter().filter(|(key, _)| follows(key));
    let page: Vec<_> = tags.by_ref().take(limit).map(tag).collect();
    Ok(json!({ "Tags": page, "HasMoreTags": tags.next().is_some() }))
}

pub(super) async fn list_of_resource(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
) -> Result<Value, ErrorResponse> {
    let stream = request.resource()?;
    let tags: Tags = kinesis
        .tags(Operation::ListTagsForResource, &stream)
        .await?;
    let tags: Vec<_> = tags.iter().map(tag).collect();
    Ok(json!({ "Tags": tags }))
}

fn tag((key, value): (&String, &String)) -> Value {
    json!({ "Key": key, "Value": value })
}

fn tagged(request: &ApiRequest, operation: Operation) -> Result<StreamIdentity, ErrorResponse> {
    match operation {
        Operation::TagResource | Operation::UntagResource => request.resource(),
        _ => request.stream(),
    }
}
