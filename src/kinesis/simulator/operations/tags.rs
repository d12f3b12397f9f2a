//! Tags of streams and consumers.

use std::fmt;

use crate::kinesis::limits::TAGS_PER_STREAM;
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::errors::invalid;
use crate::kinesis::simulator::state::settings::Tags;
use crate::kinesis::{ApiError, ApiResult, ConsumerId, Operation};
use crate::model::{ConsumerArn, StreamIdentity};

impl InMemoryKinesis {
    /// AddTagsToStream and TagResource: adds tags and replaces those with the same keys.
    pub(in crate::kinesis) async fn add_tags(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        tags: Tags,
    ) -> ApiResult<()> {
        check_tags(operation, stream, &tags)?;
        self.update_settings(operation, stream, |stream, state| {
            let current = &mut state.settings.tags;
            let new = tags.keys().filter(|key| !current.contains_key(*key));
            if current.len() + new.count() > TAGS_PER_STREAM {
                return Err(too_many(operation, &stream.identity));
            }
            current.extend(tags);
            Ok(())
        })
        .await
    }

    /// RemoveTagsFromStream and UntagResource. Unknown keys are ignored.
    pub(in crate::kinesis) async fn remove_tags(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        keys: &[String],
    ) -> ApiResult<()> {
        self.update_settings(operation, stream, |_, state| {
            state.settings.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    /// TagResource for a consumer.
    pub(in crate::kinesis) async fn add_consumer_tags(
        &self,
        consumer: &ConsumerArn,
        tags: Tags,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::TagResource;
        check_tags(OPERATION, consumer, &tags)?;
        self.change_consumer_tags(OPERATION, consumer, |current| {
            let new = tags.keys().filter(|key| !current.contains_key(*key));
            if current.len() + new.count() > TAGS_PER_STREAM {
                return Err(too_many(OPERATION, consumer));
            }
            current.extend(tags);
            Ok(())
        })
        .await
    }

    /// UntagResource for a consumer.
    pub(in crate::kinesis) async fn remove_consumer_tags(
        &self,
        consumer: &ConsumerArn,
        keys: &[String],
    ) -> ApiResult<()> {
        self.change_consumer_tags(Operation::UntagResource, consumer, |current| {
            current.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    /// ListTagsForResource for a consumer.
    pub(in crate::kinesis) async fn tags_of_consumer(
        &self,
        consumer: &ConsumerArn,
    ) -> ApiResult<Tags> {
        self.change_consumer_tags(Operation::ListTagsForResource, consumer, |current| {
            Ok(current.clone())
        })
        .await
    }

    async fn change_consumer_tags<T>(
        &self,
        operation: Operation,
        consumer: &ConsumerArn,
        change: impl FnOnce(&mut Tags) -> ApiResult<T> + Send,
    ) -> ApiResult<T> {
        let faults = self.faults.admit(operation).await?;
        let wanted = ConsumerId::Arn(consumer);
        let done = self.with_consumer(operation, wanted, |found| change(found.tags()))?;
        self.answer(operation, &faults, done)
    }

    /// ListTagsForStream and ListTagsForResource, all pages.
    pub(in crate::kinesis) async fn tags(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
    ) -> ApiResult<Tags> {
        self.read_settings(operation, stream, |_, state| {
            Ok(state.settings.tags.clone())
        })
        .await
    }
}

/// Checks the number, characters and keys of tags (API reference, AddTagsToStream).
pub(in crate::kinesis) fn check_tags(
    operation: Operation,
    resource: &impl fmt::Display,
    tags: &Tags,
) -> ApiResult<()> {
    if tags.len() > TAGS_PER_STREAM {
        return Err(too_many(operation, resource));
    }
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_./=+-%@:".contains(c);
    if !tags
        .iter()
        .all(|(key, value)| key.chars().chain(value.chars()).all(allowed))
    {
        let message = "Some tags contain invalid characters. Valid characters: Unicode letters, \
                       digits, white space, _ . / = + - % @ :.";
        return Err(invalid(operation, message));
    }
    if tags.keys().any(|key| key.starts_with("aws:")) {
        let message = "Tag keys that start with aws: are for use by AWS alone.";
        return Err(invalid(operation, message));
    }
    Ok(())
}

fn too_many(operation: Operation, resource: &impl fmt::Display) -> ApiError {
    let message = format!(
        "Failed to add tags to {resource} because a resource cannot have more than {TAGS_PER_STREAM} tags associated \
         with it."
    );
    invalid(operation, message)
}
