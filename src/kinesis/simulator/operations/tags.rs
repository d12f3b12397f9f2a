//! Stream tags.

use crate::kinesis::limits::TAGS_PER_STREAM;
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::errors::invalid;
use crate::kinesis::simulator::state::settings::Tags;
use crate::kinesis::{ApiError, ApiResult, Operation};
use crate::model::StreamIdentity;

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
    stream: &StreamIdentity,
    tags: &Tags,
) -> ApiResult<()> {
    if tags.len() > TAGS_PER_STREAM {
        return Err(too_many(operation, stream));
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

fn too_many(operation: Operation, stream: &StreamIdentity) -> ApiError {
    let message = format!(
        "Failed to add tags to stream {stream} because a given stream cannot have more than \
         {TAGS_PER_STREAM} tags associated with it."
    );
    invalid(operation, message)
}
