//! Objects in an object store: S3 and the like, or the memory of the process.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::{Path, PathPart};
use object_store::{Error as Store, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::committer::{StoreError, StoreResult};
use super::objects::Objects;
use crate::error::{Error, ErrorKind};

/// What to do when the store lets nobody in.
const MAY_NOT: &str = "; expected credentials in the environment that may list, read, create and \
    delete objects there (on S3: s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject)";

/// What to do when there is no place for objects.
const NO_BUCKET: &str = "; create the bucket or container, or correct its name";

/// What to do when the store says that the bucket is elsewhere.
const OTHER_REGION: &str = "; expected the region of the bucket in the environment (AWS_REGION)";

/// Objects of a store below a prefix.
#[derive(Debug)]
pub(super) struct StoredObjects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    location: String,
}

impl StoredObjects {
    /// Objects of `store` below `prefix`; `location` names them in messages.
    pub(super) fn new(store: Arc<dyn ObjectStore>, prefix: Path, location: String) -> Self {
        Self {
            store,
            prefix,
            location,
        }
    }

    fn path(&self, name: &str) -> Path {
        let below = name.split('/').map(PathPart::from);
        self.prefix.parts().chain(below).collect()
    }

    /// What the error says, and whether it may pass.
    fn error(&self, doing: &str, name: &str, error: Store) -> StoreError {
        let (kind, way_out) = match &error {
            Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
                (Some(ErrorKind::AccessDenied), MAY_NOT)
            }
            // Where a single object is missing, nobody asks.
            Store::NotFound { .. } => (Some(ErrorKind::NotFound), NO_BUCKET),
            Store::InvalidPath { .. } | Store::UnknownConfigurationKey { .. } => {
                (Some(ErrorKind::InvalidOption), "")
            }
            Store::NotSupported { .. } | Store::NotImplemented { .. } => {
                (Some(ErrorKind::Unsupported), "")
            }
            _ => match status(&error) {
                Some(401 | 403) => (Some(ErrorKind::AccessDenied), MAY_NOT),
                Some(404) => (Some(ErrorKind::NotFound), NO_BUCKET),
                Some(301) => (Some(ErrorKind::InvalidOption), OTHER_REGION),
                _ => (None, ""),
            },
        };
        let location = &self.location;
        let message = format!("checkpoint '{location}': cannot {doing} {name}: {error}{way_out}");
        match kind {
            Some(kind) => StoreError::lasting(Error::new(kind, message).with_source(error)),
            None => {
                let error = Error::new(ErrorKind::Unavailable, message).with_source(error);
                StoreError::passing(error)
            }
        }
    }
}

/// The HTTP status behind an error. The `object_store` crate tells it by type for single objects only;
/// of listings and deletions it is read off the words of the cause, and nothing where they are others.
fn status(error: &Store) -> Option<u16> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source()).find_map(|error| {
        let text = error.to_string();
        if text.starts_with("Received redirect without LOCATION") {
            return Some(301);
        }
        let status = text.strip_prefix("Server returned non-2xx status code: ")?;
        status.get(..3)?.parse().ok()
    })
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

    /// A store keeps no half-written objects.
    async fn tidy(&self, _folder: &str) -> StoreResult<()> {
        Ok(())
    }
}
