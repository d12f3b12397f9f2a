//! [`StateDirectory`]: writes the changes of each batch, and reads the state at a restart.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};

use super::compatibility;
use super::encoding::{FileName, decode, encode};
use super::sized::{SizedFiles, StateFilesProgress};
use super::snapshot::{Snapshot, Written};
use crate::checkpoint::{BilledRequests, StateObjects};
use crate::error::{Error, ErrorKind, Result, from_datafusion};
use crate::model::{BatchId, StateFiles};
use crate::state::memory::StateColumns;
use crate::state::memory::StateStore;

/// The numbers of deltas below which no snapshot is taken, and from which one is always taken, because a
/// restart reads all deltas.
const DELTAS: std::ops::Range<usize> = 10..200;

/// The number of changed groups above which each partition writes its own file, so that they are compressed in
/// parallel.
const MIN_PARALLEL_GROUPS: usize = 50_000;

/// The number of files that a restart reads ahead.
const READ_AHEAD: usize = 8;

/// The files of a query's state.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    objects: Arc<StateObjects>,
    /// The files of the state after the newest batch.
    files: SizedFiles,
    writing: Option<Snapshot>,
}

impl StateDirectory {
    pub(crate) fn new(objects: StateObjects) -> Self {
        Self {
            objects: Arc::new(objects),
            files: SizedFiles::default(),
            writing: None,
        }
    }

    /// What AWS bills for the requests so far.
    pub(crate) fn billed_requests(&self) -> BilledRequests {
        self.objects.billed_requests()
    }

    /// Loads the state in `files` into `store`, which is empty.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`] if a file is missing, damaged, or belongs to another aggregation.
    pub(crate) async fn restore(
        &mut self,
        files: StateFiles,
        store: &Arc<StateStore>,
    ) -> Result<()> {
        self.writing = None;
        self.objects.delete_temporaries().await?;
        let StateFiles { snapshot, deltas } = files;
        let parts = snapshot.iter().flat_map(|snapshot| &snapshot.parts);
        let part_sizes = self.each(parts, store, false).await?;
        let delta_sizes = self.each(deltas.iter(), store, true).await?;
        store.account().map_err(from_datafusion)?;
        let snapshot = snapshot.map(|files| Written {
            files,
            bytes: part_sizes.iter().sum(),
        });
        let deltas = deltas.into_iter().zip(delta_sizes);
        self.files = SizedFiles::new(snapshot, deltas.collect());
        Ok(())
    }

    /// The columns of the state, from the newest of `files`; `None` if there are no files.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`] if it is missing or damaged.
    pub(in crate::state) async fn columns(
        &self,
        files: &StateFiles,
    ) -> Result<Option<(SchemaRef, StateColumns)>> {
        let mut parts = files.snapshot.iter().flat_map(|snapshot| &snapshot.parts);
        let Some(name) = files.deltas.last().or_else(|| parts.next()) else {
            return Ok(None);
        };
        let content = self.objects.read(name).await?;
        let (name, location) = (name.clone(), self.objects.describe(name));
        let decoded = tokio::task::spawn_blocking(move || {
            let decoded =
                decode(&name, content).map_err(|reason| unreadable(&location, &reason))?;
            Ok((decoded.schema, decoded.groups))
        });
        stopped(decoded.await).map(Some)
    }

    /// Loads one file after another while the next ones are read ahead; returns the size of each in bytes.
    async fn each(
        &self,
        names: impl Iterator<Item = &String>,
        store: &Arc<StateStore>,
        replace: bool,
    ) -> Result<Vec<usize>> {
        let names: Vec<String> = names.cloned().collect();
        let read = |name: String| {
            let (objects, store) = (Arc::clone(&self.objects), Arc::clone(store));
            async move {
                let content = objects.read(&name).await?;
                let bytes = content.len();
                let location = objects.describe(&name);
                let rows = tokio::task::spawn_blocking(move || {
                    let unreadable = |reason| unreadable(&location, &reason);
                    let decoded = decode(&name, content).map_err(unreadable)?;
                    compatibility::refuse(&location, &decoded, &store)?;
                    decoded.rows_of(store.schema()).map_err(unreadable)
                });
                Ok::<_, Error>((bytes, stopped(rows.await)?))
            }
        };
        let mut files = stream::iter(names).map(read).buffered(READ_AHEAD);
        let mut sizes = Vec::new();
        while let Some((bytes, rows)) = files.try_next().await? {
            sizes.push(bytes);
            let store = Arc::clone(store);
            let taken = tokio::task::spawn_blocking(move || {
                for rows in &rows {
                    match replace {
                        true => store.replace(rows),
                        false => store.load(rows),
                    }
                    .map_err(from_datafusion)?;
                }
                Ok(())
            });
            stopped(taken.await)?;
        }
        Ok(sizes)
    }

    /// Writes the changes of `batch`; returns the files that hold the state after it.
    pub(crate) async fn write(
        &mut self,
        batch: BatchId,
        changed: &[RecordBatch],
        store: &StateStore,
    ) -> Result<StateFiles> {
        self.adopt().await;
        if changed.is_empty() {
            return Ok(self.files.names());
        }
        let groups: usize = changed.iter().map(RecordBatch::num_rows).sum();
        let files: Vec<Vec<RecordBatch>> = match groups > MIN_PARALLEL_GROUPS {
            true => changed.iter().map(|rows| vec![rows.clone()]).collect(),
            false => vec![changed.to_vec()],
        };
        let written = files.into_iter().map(|rows| self.delta(batch, rows, store));
        for (name, bytes) in try_join_all(written).await? {
            self.files.add_delta(name, bytes);
        }
        Ok(self.files.names())
    }

    /// Writes changed groups as one file; returns its name and size.
    async fn delta(
        &self,
        batch: BatchId,
        rows: Vec<RecordBatch>,
        store: &StateStore,
    ) -> Result<(String, usize)> {
        let (schema, described) = (Arc::clone(store.schema()), store.describe());
        let encoded = tokio::task::spawn_blocking(move || {
            let content = encode(&schema, &described, &rows);
            let content = content.map_err(|error| from_datafusion(error.into()))?;
            let name = FileName::of(batch, false, &content).to_string();
            Ok((name, content))
        });
        let (name, content) = stopped(encoded.await)?;
        self.objects.create(&name, &content).await?;
        Ok((name, content.len()))
    }

    /// Replaces the deltas that a finished snapshot covers.
    async fn adopt(&mut self) {
        if !self.writing.as_ref().is_some_and(Snapshot::is_done) {
            return;
        }
        let Some(mut snapshot) = self.writing.take() else {
            return;
        };
        match snapshot.written().await {
            Ok(written) => self.files.adopt(written),
            Err(error) => {
                tracing::warn!(batch = %snapshot.batch, %error, "cannot write a snapshot of the state; deltas are kept");
            }
        }
    }

    /// Call after `batch` was committed. Starts a snapshot if one is due.
    pub(crate) fn committed(&mut self, batch: BatchId, store: &StateStore) {
        let files = self.files.progress();
        let deltas = files.delta_files;
        let worth = deltas >= DELTAS.start && files.delta_bytes >= files.snapshot_bytes;
        if self.writing.is_none() && (worth || deltas >= DELTAS.end) {
            let objects = Arc::clone(&self.objects);
            self.writing = Some(Snapshot::begin(batch, store.image(), objects));
        }
    }

    /// How many files hold the state, and their sizes.
    pub(crate) fn progress(&self) -> StateFilesProgress {
        self.files.progress()
    }

    /// Deletes old files while batches run.
    pub(crate) fn purger(&self) -> StatePurger {
        StatePurger(Arc::clone(&self.objects))
    }
}

/// Deletes the old files of a state.
#[derive(Debug)]
pub(crate) struct StatePurger(Arc<StateObjects>);

/// Which files a purge keeps: those of later batches, and of the batch itself only the snapshot, or also its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FirstNeeded {
    batch: BatchId,
    is_snapshot: bool,
}

impl FirstNeeded {
    /// The first of the files that hold a state; `None` if it has no files.
    pub(crate) fn of(files: &StateFiles) -> Option<Self> {
        let deltas = files.deltas.iter().filter_map(|name| FileName::parse(name));
        match &files.snapshot {
            Some(snapshot) => Some(Self {
                batch: snapshot.batch,
                is_snapshot: true,
            }),
            None => deltas.map(|delta| Self::from(&delta)).min(),
        }
    }
}

impl From<&FileName> for FirstNeeded {
    fn from(file: &FileName) -> Self {
        Self {
            batch: file.batch,
            is_snapshot: file.is_snapshot,
        }
    }
}

impl StatePurger {
    /// Deletes the files before `first`. Logs a warning and leaves the rest to the next call if a deletion fails.
    pub(crate) async fn purge(&self, first: FirstNeeded) {
        let purged = async {
            for name in self.0.list().await? {
                if FileName::parse(&name).is_some_and(|file| FirstNeeded::from(&file) < first) {
                    self.0.delete(&name).await?;
                }
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = purged.await {
            tracing::warn!(%error, "cannot delete old state files; the next purge tries again");
        }
    }
}

fn stopped<T>(done: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    done.unwrap_or_else(|error| {
        Err(Error::internal(format!(
            "a task that reads or writes state failed: {error}"
        )))
    })
}

fn unreadable(location: &str, reason: &super::encoding::Unreadable) -> Error {
    Error::new(
        ErrorKind::Checkpoint,
        format!(
            "{location} {reason}; restore it from a copy, or give the query a new checkpoint location, \
             where it begins at its starting position"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SnapshotFiles;

    #[test]
    fn the_operator_with_the_oldest_files_decides_what_a_purge_keeps() {
        let file = |batch, is_snapshot| FileName::of(BatchId(batch), is_snapshot, b"");
        let files = |snapshot: Option<u64>, deltas: &[u64]| StateFiles {
            snapshot: snapshot.map(|batch| SnapshotFiles {
                batch: BatchId(batch),
                parts: Vec::new(),
            }),
            deltas: deltas
                .iter()
                .map(|batch| file(*batch, false).to_string())
                .collect(),
        };
        let first = |all: &[StateFiles]| all.iter().filter_map(FirstNeeded::of).min();
        assert_eq!(first(&[files(None, &[])]), None);
        let with_snapshot = files(Some(7), &[8, 9]);
        let kept = |all: &[StateFiles], batch, is_snapshot| {
            first(all).unwrap() <= FirstNeeded::from(&file(batch, is_snapshot))
        };
        let one = [with_snapshot.clone(), files(None, &[])];
        assert!(kept(&one, 7, true) && kept(&one, 8, false));
        assert!(!kept(&one, 7, false) && !kept(&one, 6, true));
        // Without a snapshot, all changes are needed.
        let two = [with_snapshot, files(None, &[12, 7])];
        assert!(kept(&two, 7, false) && !kept(&two, 6, true));
        assert!(kept(&[files(None, &[0])], 0, false));
    }
}
