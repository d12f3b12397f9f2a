//! [`Objects`], named objects at a location, and its backends: local files, object stores, HDFS.

#[cfg(feature = "hdfs")]
pub(super) mod hdfs;
pub(super) mod local_files;
pub(super) mod location;
mod store;
mod temporary_names;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use super::billed::BilledRequests;
use super::committer::StoreResult;

/// Objects at a location, named relative to it (`metadata`, `offsets/7`).
#[async_trait]
pub(super) trait Objects: fmt::Debug + Send + Sync {
    /// The location, for messages; without secrets.
    fn location(&self) -> &str;

    /// Creates an object, which is complete and durable when this returns; `false` if the name is taken.
    async fn create(&self, name: &str, content: Bytes) -> StoreResult<bool>;

    /// The content of an object; `None` if it does not exist.
    async fn read(&self, name: &str) -> StoreResult<Option<Bytes>>;

    /// Whether an object exists.
    async fn exists(&self, name: &str) -> StoreResult<bool>;

    /// Deletes an object; succeeds if it does not exist.
    async fn delete(&self, name: &str) -> StoreResult<()>;

    /// The names of everything in `folder`, without the folder and in no order.
    async fn list(&self, folder: &str) -> StoreResult<Vec<String>>;

    /// Deletes temporary files that crashed writers left in `folder` (in the location itself if it is empty). A
    /// concurrent writer restarts its write.
    async fn delete_temporaries(&self, folder: &str) -> StoreResult<()>;

    /// What AWS bills for the requests so far.
    fn billed(&self) -> BilledRequests {
        BilledRequests::default()
    }
}
