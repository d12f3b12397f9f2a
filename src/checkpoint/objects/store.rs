//! Objects in an object store of the `object_store` crate: S3, Google Cloud Storage, Azure, memory.

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::{Path, PathPart};
use object_store::{Error as Store, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::super::billed::{BillCounter, BilledRequests};
use super::super::committer::{StoreError, StoreResult};
use super::Objects;
use crate::aws::ConnectFailure;
use crate::error::{Error, ErrorKind};

/// The advice if credentials are missing or not sufficient.
const ACCESS_DENIED: &str = "access is denied; expected credentials in the environment that may list, \
    read, create and delete objects there (on S3: s3:ListBucket, s3:GetObject, s3:PutObject, \
    s3:DeleteObject)";

/// The advice if the bucket does not exist.
const NO_BUCKET: &str = "the bucket or container does not exist; create it, or correct its name";

/// The advice if the store redirects to another region.
const OTHER_REGION: &str = "the bucket is in another region; expected that region in the environment \
    (AWS_REGION)";

/// The advice if the client refuses to send a request without TLS.
const NO_TLS: &str = "the endpoint is http://; expected https://, or http:// allowed in the environment \
    (on S3: AWS_ALLOW_HTTP=true)";

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

/// The kind of a permanent error, with an explanation if the cause is known.
fn meaning(error: &Store) -> (Option<ErrorKind>, &'static str) {
    match error {
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
            (Some(ErrorKind::AccessDenied), ACCESS_DENIED)
        }
        // Missing objects are handled earlier, so this is a missing bucket.
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
            Some(401 | 403) => (Some(ErrorKind::AccessDenied), ACCESS_DENIED),
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

/// Whether the connection is misconfigured, for example by an untrusted certificate.
fn is_misconfigured(error: &Store) -> bool {
    let refused = ConnectFailure::find_in(error).is_some_and(|failure| failure.permanent);
    // Errors about the certificate file and other options.
    let ours = causes(error).find_map(|cause| cause.downcast_ref::<Error>());
    refused || ours.is_some_and(|error| error.kind() == ErrorKind::InvalidOption)
}

/// Whether the client refused an `http://` endpoint. Only the text of the error shows it.
fn refused_http(error: &Store) -> bool {
    causes(error).any(|error| error.to_string() == "URL scheme is not allowed")
}

/// The HTTP status that caused an error. The `object_store` crate provides it for single objects only; for
/// listings and deletions this parses the text of the cause, and returns `None` if the text has another form.
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

    /// Object stores have no temporary files.
    async fn delete_temporaries(&self, _folder: &str) -> StoreResult<()> {
        Ok(())
    }

    fn billed(&self) -> BilledRequests {
        self.bill.now()
    }
}
