//! Named objects at one location: what the log and the stop lock need of a store.

#[cfg(feature = "hdfs")]
pub(super) mod hdfs;
pub(super) mod local_files;
pub(super) mod location;
#[cfg(feature = "aws")]
mod s3_client;
mod store;
mod temporary_names;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::committer::StoreResult;

/// Objects at a location, by their name below it (`metadata`, `offsets/7`).
#[async_trait]
pub(super) trait Objects: fmt::Debug + Send + Sync {
    /// Where they are, for messages; without secrets.
    fn location(&self) -> &str;

    /// Creates an object that is whole and durable when this returns; `false` when there was one of
    /// that name, which stays as it is.
    async fn create(&self, name: &str, content: Bytes) -> StoreResult<bool>;

    /// The content of an object, where there is one.
    async fn read(&self, name: &str) -> StoreResult<Option<Bytes>>;

    /// Whether there is an object of that name.
    async fn exists(&self, name: &str) -> StoreResult<bool>;

    /// Deletes an object; it is no error when there is none.
    async fn delete(&self, name: &str) -> StoreResult<()>;

    /// The last parts of the names of everything in `folder`, in no order.
    async fn list(&self, folder: &str) -> StoreResult<Vec<String>>;

    /// Removes what writers that crashed have left in `folder` (the location itself when it is
    /// empty). A writer at work there starts its write again.
    async fn tidy(&self, folder: &str) -> StoreResult<()>;
}
