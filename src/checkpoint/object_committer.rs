//! [`ObjectStoreCommitter`]: a log as objects in local files, S3, Google Cloud Storage, Azure, HDFS or memory.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::billed::BilledRequests;
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
/// Taking an epoch creates its object and deletes those of all older epochs. Before each entry a writer checks that
/// the object of its epoch still exists as it wrote it. A newer epoch may be taken between that check and the entry:
/// the entry is then valid, and the newer writer finds it when it reads the log or writes the same entry, and
/// resumes from it. The older writer is fenced at its next entry.
///
/// The store must support conditional creation, consistent listings, and deletion; S3, Google Cloud Storage, Azure,
/// HDFS and local file systems with hard links do.
pub struct ObjectStoreCommitter {
    objects: Arc<dyn Objects>,
    /// Distinguishes the epochs of this handle from those of others.
    token: String,
}

impl ObjectStoreCommitter {
    /// Opens the log at `location`; reads and writes nothing yet. A location is one of:
    ///
    /// - `file:///path`, or a path; a relative path starts at the working directory.
    /// - `memory://name/path`, shared by name within the process and lost with it.
    /// - `s3://bucket/path` with the feature `aws`. Credentials come from the default chain of the AWS tools,
    ///   profiles included.
    /// - `gs://bucket/path` with the feature `gcp`, and `abfss://container@account.dfs.core.windows.net/path` or
    ///   `az://container/path` with `azure`. Credentials come from the environment, as in the `object_store` crate.
    /// - `hdfs://namenode:port/path` or `hdfs://nameservice/path` with the feature `hdfs`; the name service is one of
    ///   the configuration in `HADOOP_CONF_DIR` or `HADOOP_HOME`.
    ///
    /// # Errors
    /// The location has another form or contains credentials, or its feature is not enabled.
    pub fn open(location: &str) -> Result<Self> {
        location::objects(location).map(Self::over)
    }

    pub(super) fn over(objects: Arc<dyn Objects>) -> Self {
        let token = format!("{:032x}", fastrand::Rng::new().u128(..));
        Self { objects, token }
    }

    /// The content of an epoch's object if this handle took the epoch.
    fn claim(&self, epoch: u64) -> Bytes {
        let token = &self.token;
        format!("{{\"version\": {VERSION}, \"epoch\": {epoch}, \"token\": \"{token}\"}}\n").into()
    }

    /// The numbers that name the objects in `folder`, in ascending order.
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
                            "checkpoint '{}': {folder}/{name} does not belong to a checkpoint: expected a \
                             number as its name; move it elsewhere",
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
                    "checkpoint '{}': {name} existed before, but is gone now",
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
                "checkpoint '{location}': epoch {} is the largest possible number, so this program did not write \
                 it; restore the checkpoint from a copy",
                u64::MAX
            ),
        ))
    }

    /// The epoch that fenced `own`.
    async fn newer_than(&self, own: Epoch) -> StoreResult<Epoch> {
        match self.numbers(EPOCHS).await?.last() {
            Some(newest) if *newest >= own.0 => Ok(Epoch(*newest)),
            _ => Err(StoreError::permanent(Error::new(
                ErrorKind::Checkpoint,
                format!(
                    "checkpoint '{}': {EPOCHS}/{own} was removed while its query is running, so a \
                     second writer would not be fenced; start the query again",
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

    /// Probes the store first, once per checkpoint.
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
                continue; // another writer took it
            }
            let mut taken = self.numbers(EPOCHS).await?;
            if taken.pop() == Some(own) {
                for older in taken {
                    self.objects.delete(&format!("{EPOCHS}/{older}")).await?;
                }
                for folder in ["", EPOCHS, Log::Offsets.name(), Log::Commits.name()] {
                    self.objects.delete_temporaries(folder).await?;
                }
                return Ok(Epoch(own));
            }
            // The number was taken and deleted between the listing and the creation.
            self.objects.delete(&name).await?;
        }
    }

    async fn put(&self, epoch: Epoch, log: Log, batch: BatchId, entry: Bytes) -> StoreResult<Put> {
        if !self.is_newest(epoch).await? {
            return Ok(Put::Fenced(self.newer_than(epoch).await?));
        }
        self.create(&self.object(log, batch), entry).await
    }

    async fn is_newest(&self, epoch: Epoch) -> StoreResult<bool> {
        let claim = self.objects.read(&format!("{EPOCHS}/{epoch}")).await?;
        Ok(claim == Some(self.claim(epoch.0)))
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

    fn billed_requests(&self) -> BilledRequests {
        self.objects.billed()
    }
}

/// The number in a name, if the name is a number in canonical form.
fn decimal(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}

/// Hidden files, and the staging files of the `object_store` crate (`7#1`).
fn is_hidden(name: &str) -> bool {
    let staged = name.rsplit_once('#').is_some_and(|(_, stage)| {
        !stage.is_empty() && stage.bytes().all(|digit| digit.is_ascii_digit())
    });
    staged || name.starts_with('.')
}
