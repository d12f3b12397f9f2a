//! The log as objects: local files, S3 and the like.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::committer::{Log, OffsetCommitter, Put, StoreError, StoreResult};
use super::entry::VERSION;
use super::objects::{Objects, location};
use super::probe::try_objects;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{BatchId, Epoch};

const METADATA: &str = "metadata";
const EPOCHS: &str = "epochs";

/// Keeps a log as objects below one location: `metadata`, `offsets/<batch>`, `commits/<batch>` and
/// `epochs/<epoch>`, with plain decimal numbers.
///
/// Whoever takes an epoch creates its object, then deletes those of all older epochs, and before each
/// entry looks whether its own is still there as it wrote it. Between that look and the entry a newer
/// epoch may be taken: the entry then stands, and the newer writer finds it when it reads the log or
/// writes the same entry, and goes on from it. The older one stops at its next entry.
///
/// The store must create an object only if it is absent, and list what was just written; S3, Google
/// Cloud Storage, Azure, HDFS and local file systems with hard links do. It must allow to delete.
pub struct ObjectStoreCommitter {
    objects: Arc<dyn Objects>,
    /// Told apart by it: the epochs of this handle from those of others.
    token: String,
}

impl ObjectStoreCommitter {
    /// A log at `location`: `file:///path`, a path (a relative one is taken from the working
    /// directory), `memory://name/path` (shared by name within the process, gone with it), and with
    /// the features `aws`, `gcp` and `azure` `s3://bucket/path`, `gs://bucket/path` and
    /// `abfss://container@account.dfs.core.windows.net/path` or `az://container/path`. Credentials of
    /// these come from the environment, as the `object_store` crate reads it, those of S3 from the default
    /// chain of AWS tools, profiles included. With the feature `hdfs`
    /// also `hdfs://namenode:port/path` and `hdfs://nameservice/path`, the service being one of the
    /// configuration that `HADOOP_CONF_DIR` or `HADOOP_HOME` names.
    ///
    /// Nothing is read or written yet.
    ///
    /// # Errors
    /// A location of another form, one with credentials in it, or one whose feature is not built in.
    pub fn open(location: &str) -> Result<Self> {
        location::objects(location).map(Self::over)
    }

    pub(super) fn over(objects: Arc<dyn Objects>) -> Self {
        let token = format!("{:032x}", fastrand::Rng::new().u128(..));
        Self { objects, token }
    }

    /// What the object of an epoch holds when this handle took it.
    fn claim(&self, epoch: u64) -> Bytes {
        let token = &self.token;
        format!("{{\"version\": {VERSION}, \"epoch\": {epoch}, \"token\": \"{token}\"}}\n").into()
    }

    /// The numbers that name the objects in `folder`, ascending.
    async fn numbers(&self, folder: &str) -> StoreResult<Vec<u64>> {
        let mut numbers = Vec::new();
        for name in self.objects.list(folder).await? {
            match decimal(&name) {
                Some(number) => numbers.push(number),
                None if is_hidden(&name) => {}
                None => {
                    return Err(StoreError::permanent(Error::new(
                        ErrorKind::Checkpoint,
                        format!(
                            "checkpoint '{}': {folder}/{name} is not of this checkpoint, where a \
                             name is a number; move it away",
                            self.objects.location()
                        ),
                    )));
                }
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn create(&self, name: &str, content: Bytes) -> StoreResult<Put> {
        if self.objects.create(name, content).await? {
            return Ok(Put::Done);
        }
        match self.objects.read(name).await? {
            Some(found) => Ok(Put::Exists(found)),
            None => Err(StoreError::transient(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "checkpoint '{}': {name} was there and is gone",
                    self.objects.location()
                ),
            ))),
        }
    }

    fn no_epoch_left(&self) -> StoreError {
        let location = self.objects.location();
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': epoch {} was taken or is named by an entry, and none is \
                 greater; it was not written by this program: restore the checkpoint from a copy",
                u64::MAX
            ),
        ))
    }

    /// The epoch that has taken over from `own`.
    async fn newer_than(&self, own: Epoch) -> StoreResult<Epoch> {
        match self.numbers(EPOCHS).await?.last() {
            Some(newest) if *newest >= own.0 => Ok(Epoch(*newest)),
            _ => Err(StoreError::permanent(Error::new(
                ErrorKind::Checkpoint,
                format!(
                    "checkpoint '{}': {EPOCHS}/{own} was removed while its query runs, so nothing \
                     keeps a second writer out; start the query again",
                    self.objects.location()
                ),
            ))),
        }
    }
}

impl fmt::Debug for ObjectStoreCommitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectStoreCommitter")
            .field(&self.objects.location())
            .finish()
    }
}

#[async_trait]
impl OffsetCommitter for ObjectStoreCommitter {
    fn location(&self) -> String {
        self.objects.location().to_owned()
    }

    fn object(&self, log: Log, batch: BatchId) -> String {
        format!("{}/{batch}", log.name())
    }

    async fn metadata(&self) -> StoreResult<Option<Bytes>> {
        self.objects.read(METADATA).await
    }

    /// Looks first, once in the life of a checkpoint, whether the store keeps what it promises.
    async fn create_metadata(&self, entry: Bytes) -> StoreResult<Put> {
        try_objects(&self.objects).await?;
        self.create(METADATA, entry).await
    }

    async fn take_epoch(&self, above: Epoch) -> StoreResult<Epoch> {
        loop {
            let newest = self.numbers(EPOCHS).await?.pop();
            let newest = newest.map_or(above, |newest| above.max(Epoch(newest)));
            let Some(own) = newest.0.checked_add(1) else {
                return Err(self.no_epoch_left());
            };
            let name = format!("{EPOCHS}/{own}");
            if !self.objects.create(&name, self.claim(own)).await? {
                continue; // another start was faster
            }
            let mut taken = self.numbers(EPOCHS).await?;
            if taken.pop() == Some(own) {
                for older in taken {
                    self.objects.delete(&format!("{EPOCHS}/{older}")).await?;
                }
                for folder in ["", EPOCHS, Log::Offsets.name(), Log::Commits.name()] {
                    self.objects.tidy(folder).await?;
                }
                return Ok(Epoch(own));
            }
            // The number was used and deleted between the listing and the creation.
            self.objects.delete(&name).await?;
        }
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        let claim = self.objects.read(&format!("{EPOCHS}/{epoch}")).await?;
        if claim != Some(self.claim(epoch.0)) {
            return Ok(Put::Fenced(self.newer_than(epoch).await?));
        }
        self.create(&self.object(log, batch), entry).await
    }

    async fn get(&self, log: Log, batch: BatchId) -> StoreResult<Option<Bytes>> {
        self.objects.read(&self.object(log, batch)).await
    }

    async fn batches(&self, log: Log) -> StoreResult<Vec<BatchId>> {
        let numbers = self.numbers(log.name()).await?;
        Ok(numbers.into_iter().map(BatchId).collect())
    }

    async fn remove(&self, log: Log, batch: BatchId) -> StoreResult<()> {
        self.objects.delete(&self.object(log, batch)).await
    }
}

/// The number a name is, when it is written the one way we write it.
fn decimal(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}

/// Hidden files, and what the `object_store` crate stages a local file as (`7#1`).
fn is_hidden(name: &str) -> bool {
    let staged = name.rsplit_once('#').is_some_and(|(_, stage)| {
        !stage.is_empty() && stage.bytes().all(|digit| digit.is_ascii_digit())
    });
    staged || name.starts_with('.')
}
