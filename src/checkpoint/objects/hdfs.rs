//! Objects as HDFS files.
//!
//! An HDFS file is visible before it is complete. An object is therefore written under a temporary name,
//! closed, and renamed; the NameNode refuses to rename a file to an existing name.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hdfs_native::{Client, ClientBuilder, HdfsError, Result as HdfsResult, WriteOptions};
use tokio::sync::OnceCell;

use super::super::committer::{StoreError, StoreResult};
use super::Objects;
use super::temporary_names;
use crate::error::{Error, ErrorKind};

/// The time limit of a call; the client has none.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Files below a folder, which the first write creates.
pub(super) struct HdfsFiles {
    location: String,
    /// Without a trailing `/`.
    root: String,
    client: OnceCell<Client>,
    /// Distinguishes the temporary files of this handle from those of others.
    writer: String,
    written: AtomicU64,
}

impl HdfsFiles {
    /// Files of the NameNode or name service that `location` begins with, below the path `root`.
    pub(super) fn new(location: String, root: &str) -> Self {
        Self {
            location,
            root: root.trim_end_matches('/').to_owned(),
            client: OnceCell::new(),
            writer: format!("{:016x}", fastrand::Rng::new().u64(..)),
            written: AtomicU64::new(0),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    fn new_temporary(&self, name: &str) -> String {
        let (folder, name) = name.rsplit_once('/').unwrap_or(("", name));
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let temporary = temporary_names::temporary_name(name, &self.writer, number);
        self.path(folder).trim_end_matches('/').to_owned() + "/" + &temporary
    }

    /// The client; created by the first call, because it belongs to the runtime that creates it.
    async fn client(&self) -> HdfsResult<&Client> {
        let build = async || ClientBuilder::new().with_url(&self.location).build();
        self.client.get_or_try_init(build).await
    }

    /// Runs `call` with the time limit.
    async fn call<T>(
        &self,
        doing: &str,
        name: &str,
        call: impl Future<Output = HdfsResult<T>>,
    ) -> StoreResult<T> {
        match tokio::time::timeout(CALL_LIMIT, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(store_error(&self.location, doing, name, error)),
            Err(_) => Err(StoreError::transient(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "checkpoint '{}': cannot {doing} {}: no answer within {CALL_LIMIT:?}",
                    self.location,
                    shown(name)
                ),
            ))),
        }
    }
}

impl fmt::Debug for HdfsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HdfsFiles").field(&self.location).finish()
    }
}

#[async_trait]
impl Objects for HdfsFiles {
    fn location(&self) -> &str {
        &self.location
    }

    async fn create(&self, name: &str, content: Bytes) -> StoreResult<bool> {
        let create = async {
            let client = self.client().await?;
            let temporary = self.new_temporary(name);
            let error = match Box::pin(write(client, &temporary, content)).await {
                Ok(()) => match client.rename(&temporary, &self.path(name), false).await {
                    Ok(()) => return Ok(true),
                    Err(HdfsError::AlreadyExists(_)) => None,
                    Err(error) => Some(error),
                },
                Err(error) => Some(error),
            };
            let deleted = client.delete(&temporary, false).await;
            error.map_or(Ok(false), Err).inspect_err(|_| {
                if let Err(error) = deleted {
                    tracing::debug!(%temporary, %error, "cannot delete a temporary file; the next start deletes it");
                }
            })
        };
        self.call("write", name, create).await
    }

    async fn read(&self, name: &str) -> StoreResult<Option<Bytes>> {
        let read = async {
            let file = self.client().await?.read(&self.path(name)).await?;
            file.read_range(0, file.file_length()).await
        };
        self.call("read", name, async { if_found(read.await) })
            .await
    }

    async fn exists(&self, name: &str) -> StoreResult<bool> {
        let look = async { self.client().await?.get_file_info(&self.path(name)).await };
        let found = self.call("look for", name, async { if_found(look.await) });
        Ok(found.await?.is_some())
    }

    async fn delete(&self, name: &str) -> StoreResult<()> {
        let delete = async { self.client().await?.delete(&self.path(name), false).await };
        self.call("delete", name, delete).await.map(drop)
    }

    async fn list(&self, folder: &str) -> StoreResult<Vec<String>> {
        let path = self.path(folder);
        let path = match path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        let list = async { self.client().await?.list_status(path, false).await };
        let listed = self.call("list", folder, async { if_found(list.await) });
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let listed = listed.await?.unwrap_or_default();
        Ok(listed.iter().map(|file| last(&file.path)).collect())
    }

    async fn delete_temporaries(&self, folder: &str) -> StoreResult<()> {
        let prefix = if folder.is_empty() { "" } else { "/" };
        for name in self.list(folder).await? {
            if temporary_names::is_temporary(&name) {
                self.delete(&format!("{folder}{prefix}{name}")).await?;
            }
        }
        Ok(())
    }
}

/// Writes a file; when this returns, it is on as many DataNodes as the NameNode requires.
async fn write(client: &Client, path: &str, content: Bytes) -> HdfsResult<()> {
    let mut file = client.create(path, WriteOptions::default()).await?;
    file.write(content).await?;
    file.close().await
}

fn if_found<T>(result: HdfsResult<T>) -> HdfsResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(HdfsError::FileNotFound(_)) => Ok(None),
        Err(HdfsError::RPCError(class, _)) if class == "java.io.FileNotFoundException" => Ok(None),
        Err(error) => Err(error),
    }
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "it" } else { name }
}

/// The error with its kind, and whether it is transient.
pub(in crate::checkpoint) fn store_error(
    location: &str,
    doing: &str,
    name: &str,
    error: HdfsError,
) -> StoreError {
    let kind = match &error {
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => {
            match class.rsplit('.').next() {
                Some("AccessControlException" | "AuthorizationException") => {
                    Some(ErrorKind::AccessDenied)
                }
                Some("InvalidPathException" | "ParentNotDirectoryException") => {
                    Some(ErrorKind::InvalidOption)
                }
                _ => None,
            }
        }
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
            Some(ErrorKind::AccessDenied)
        }
        HdfsError::InvalidPath(_)
        | HdfsError::InvalidArgument(_)
        | HdfsError::UrlParseError(_)
        | HdfsError::XmlParseError(_) => Some(ErrorKind::InvalidOption),
        HdfsError::UnsupportedFeature(_) | HdfsError::UnsupportedErasureCodingPolicy(_) => {
            Some(ErrorKind::Unsupported)
        }
        _ => None,
    };
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default();
    let name = shown(name);
    let message = format!("checkpoint '{location}': cannot {doing} {name}: {what}");
    let mut described = Error::new(kind.unwrap_or(ErrorKind::Unavailable), message);
    // The first line is followed by a stack trace of the server.
    if text == what {
        described = described.with_source(error);
    }
    match kind {
        Some(_) => StoreError::permanent(described),
        None => StoreError::transient(described),
    }
}
