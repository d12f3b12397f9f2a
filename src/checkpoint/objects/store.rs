//! Objects in an object store: S3 and the like, or the memory of the process.

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::{Path, PathPart};
use object_store::{Error as Store, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::super::committer::{StoreError, StoreResult};
use super::Objects;
use crate::aws::ConnectFailure;
use crate::error::{Error, ErrorKind};

/// The store lets nobody in.
const MAY_NOT: &str = "access is denied; expected credentials in the environment that may list, \
    read, create and delete objects there (on S3: s3:ListBucket, s3:GetObject, s3:PutObject, \
    s3:DeleteObject)";

/// There is no place for objects.
const NO_BUCKET: &str = "there is no such bucket or container; create it, or correct its name";

/// The store says that the bucket is elsewhere.
const OTHER_REGION: &str = "the bucket is in another region; expected that one in the environment \
    (AWS_REGION)";

/// The client sends nothing in the clear unless it is told to.
const NO_TLS: &str = "the endpoint is http://; expected https://, or http:// allowed in the environment \
    (on S3: AWS_ALLOW_HTTP=true)";

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
        let (kind, known) = meaning(&error);
        let location = &self.location;
        // The words of a store are long.
        let colon = if known.is_empty() { "" } else { ": " };
        let message =
            format!("checkpoint '{location}': cannot {doing} {name}: {known}{colon}{error}");
        let told = Error::new(kind.unwrap_or(ErrorKind::Unavailable), message).with_source(error);
        match kind {
            Some(_) => StoreError::permanent(told),
            None => StoreError::transient(told),
        }
    }
}

/// The kind of an error that lasts, and what is wrong and to be done where that is known.
fn meaning(error: &Store) -> (Option<ErrorKind>, &'static str) {
    match error {
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
        _ if refused_http(error) => (Some(ErrorKind::InvalidOption), NO_TLS),
        _ if is_misconfigured(error) => (Some(ErrorKind::InvalidOption), ""),
        _ => match status(error) {
            Some(401 | 403) => (Some(ErrorKind::AccessDenied), MAY_NOT),
            Some(404) => (Some(ErrorKind::NotFound), NO_BUCKET),
            Some(301) => (Some(ErrorKind::InvalidOption), OTHER_REGION),
            _ => (None, ""),
        },
    }
}

/// An error and its causes.
fn causes(error: &Store) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
}

/// Whether the way to the store is set up wrongly, such as by a certificate that nobody trusts.
fn is_misconfigured(error: &Store) -> bool {
    let refused = ConnectFailure::find_in(error).is_some_and(|failure| failure.permanent);
    // Of the file of certificates, and what there is of options.
    let ours = causes(error).find_map(|cause| cause.downcast_ref::<Error>());
    refused || ours.is_some_and(|error| error.kind() == ErrorKind::InvalidOption)
}

/// Whether the client refused to go to an `http://` endpoint, which it says in words only.
fn refused_http(error: &Store) -> bool {
    causes(error).any(|error| error.to_string() == "URL scheme is not allowed")
}

/// The HTTP status behind an error. The `object_store` crate tells it by type for single objects only;
/// of listings and deletions it is read off the words of the cause, and nothing where they are others.
fn status(error: &Store) -> Option<u16> {
    causes(error).find_map(|error| {
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
