//! Handlers for tags of streams and consumers, addressed by stream or by resource ARN.

use serde_json::{Value, json};

use crate::kinesis::simulator::http_server::error_response::ErrorResponse;
use crate::kinesis::simulator::http_server::request::ApiRequest;
use crate::kinesis::simulator::state::settings::Tags;
use crate::kinesis::{InMemoryKinesis, Operation};
use crate::model::{ConsumerArn, StreamIdentity};

pub(super) async fn add(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
    operation: Operation,
) -> Result<(), ErrorResponse> {
    let tags = request.members.text_map("Tags")?;
    if let Some(consumer) = tagged_consumer(request, operation)? {
        return Ok(kinesis.add_consumer_tags(&consumer, tags).await?);
    }
    let stream = tagged(request, operation)?;
    Ok(kinesis.add_tags(operation, &stream, tags).await?)
}

pub(super) async fn remove(
    kinesis: &InMemoryKinesis,
    request: &ApiRequest,
    operation: Operation,
) -> Result<(), ErrorResponse> {
    let keys = request.members.texts("TagKeys")?;
    if let Some(consumer) = tagged_consumer(request, operation)? {
        return Ok(kinesis.remove_consumer_tags(&consumer, &keys).await?);
    }
    let stream = tagged(request, operation)?;
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
    let operation = Operation::ListTagsForResource;
    let tags: Tags = match request.consumer_resource()? {
        Some(consumer) => kinesis.tags_of_consumer(&consumer).await?,
        None => kinesis.tags(operation, &request.resource()?).await?,
    };
    let tags: Vec<_> = tags.iter().map(tag).collect();
    Ok(json!({ "Tags": tags }))
}

fn tag((key, value): (&String, &String)) -> Value {
    json!({ "Key": key, "Value": value })
}

fn tagged_consumer(
    request: &ApiRequest,
    operation: Operation,
) -> Result<Option<ConsumerArn>, ErrorResponse> {
    match operation {
        Operation::TagResource | Operation::UntagResource => request.consumer_resource(),
        _ => Ok(None),
    }
}

fn tagged(request: &ApiRequest, operation: Operation) -> Result<StreamIdentity, ErrorResponse> {
    match operation {
        Operation::TagResource | Operation::UntagResource => request.resource(),
        _ => request.stream(),
    }
}
