//! Objects in an object store of the `object_store` crate: S3, Google Cloud Storage, Azure, memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::{Path, PathPart};
use object_store::{Error as Store, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::super::billed::{BillCounter, BilledRequests};
use super::super::committer::{StoreError, StoreResult};
use super::Objects;
use crate::error::{Error, ErrorKind};
use crate::stores::meaning;

/// Objects of a store below a prefix.
#[derive(Debug)]
pub(super) struct StoredObjects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    location: String,
    bill: Arc<BillCounter>,
}

impl StoredObjects {
    /// Objects of `store`, which counts its requests in `bill`, below `prefix`; messages show `location`.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        location: String,
        bill: Arc<BillCounter>,
    ) -> Self {
        Self {
            store,
            prefix,
            location,
            bill,
        }
    }

    fn path(&self, name: &str) -> Path {
        let below = name.split('/').map(PathPart::from);
        self.prefix.parts().chain(below).collect()
    }

    /// Converts an error: adds its meaning, and whether it is transient.
    fn error(&self, doing: &str, name: &str, error: Store) -> StoreError {
        let (kind, known) = meaning(&error);
        let location = &self.location;
        let colon = if known.is_empty() { "" } else { ": " };
        let message =
            format!("checkpoint '{location}': cannot {doing} {name}: {known}{colon}{error}");
        let described =
            Error::new(kind.unwrap_or(ErrorKind::Unavailable), message).with_source(error);
        match kind {
            Some(_) => StoreError::permanent(described),
            None => StoreError::transient(described),
        }
    }
}

#[async_trait]
impl Objects for StoredObjects {
    fn location(&self) -> &str {
        &self.location
    }

    async fn create(&self, name: &str, content: Bytes) -> StoreResult<bool> {
        let payload = PutPayload::from(content);
        let mode = PutMode::Create.into();
        match self.store.put_opts(&self.path(name), payload, mode).await {
            Ok(_) => Ok(true),
            Err(Store::AlreadyExists { .. } | Store::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.error("write", name, error)),
        }
    }

    async fn read(&self, name: &str) -> StoreResult<Option<Bytes>> {
        let content = async { self.store.get(&self.path(name)).await?.bytes().await };
        match content.await {
            Ok(content) => Ok(Some(content)),
            Err(Store::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error("read", name, error)),
        }
    }

    async fn exists(&self, name: &str) -> StoreResult<bool> {
        match self.store.head(&self.path(name)).await {
            Ok(_) => Ok(true),
            Err(Store::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.error("look for", name, error)),
        }
    }

    async fn delete(&self, name: &str) -> StoreResult<()> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(Store::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error("delete", name, error)),
        }
    }

    async fn list(&self, folder: &str) -> StoreResult<Vec<String>> {
        let folder_path = self.path(folder);
        let listed = self.store.list_with_delimiter(Some(&folder_path)).await;
        let listed = listed.map_err(|error| self.error("list", folder, error))?;
        let objects = listed.objects.iter().map(|object| &object.location);
        let all = objects.chain(&listed.common_prefixes);
        Ok(all.filter_map(Path::filename).map(str::to_owned).collect())
    }

    /// Object stores have no temporary files.
    async fn delete_temporaries(&self, _folder: &str) -> StoreResult<()> {
        Ok(())
    }

    fn billed(&self) -> BilledRequests {
        self.bill.now()
    }
}
