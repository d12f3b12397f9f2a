//! [`SizedFiles`]: the files of a state with their sizes.

use super::encoding::FileName;
use super::snapshot::Written;
use crate::model::{BatchId, StateFiles};

/// The files that hold the state of a GROUP BY after a batch. A restart reads all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateFilesProgress {
    /// The batch whose groups the newest snapshot holds; `None` if there is no snapshot yet.
    pub snapshot_batch: Option<BatchId>,
    /// The files of the snapshot.
    pub snapshot_files: usize,
    /// Their size.
    pub snapshot_bytes: usize,
    /// The files with the changes of the batches after the snapshot: one for each batch that changed groups, and several
    /// for one that changed many.
    pub delta_files: usize,
    /// Their size.
    pub delta_bytes: usize,
}

/// The files of a state with their sizes.
#[derive(Debug, Default)]
pub(super) struct SizedFiles {
    snapshot: Option<Written>,
    /// The names and sizes of the deltas since the snapshot, oldest first.
    deltas: Vec<(String, usize)>,
}

impl SizedFiles {
    pub(super) fn new(snapshot: Option<Written>, deltas: Vec<(String, usize)>) -> Self {
        Self { snapshot, deltas }
    }

    pub(super) fn names(&self) -> StateFiles {
        let snapshot = self.snapshot.as_ref();
        let deltas = self.deltas.iter();
        StateFiles {
            snapshot: snapshot.map(|snapshot| snapshot.files.clone()),
            deltas: deltas.map(|(name, _)| name.clone()).collect(),
        }
    }

    pub(super) fn add_delta(&mut self, name: String, bytes: usize) {
        self.deltas.push((name, bytes));
    }

    /// Replaces the deltas that `snapshot` covers.
    pub(super) fn adopt(&mut self, snapshot: Written) {
        let covered = snapshot.files.batch;
        self.deltas
            .retain(|(name, _)| FileName::parse(name).is_none_or(|name| name.batch > covered));
        self.snapshot = Some(snapshot);
    }

    pub(super) fn progress(&self) -> StateFilesProgress {
        let snapshot = self.snapshot.as_ref();
        StateFilesProgress {
            snapshot_batch: snapshot.map(|snapshot| snapshot.files.batch),
            snapshot_files: snapshot.map_or(0, |snapshot| snapshot.files.parts.len()),
            snapshot_bytes: snapshot.map_or(0, |snapshot| snapshot.bytes),
            delta_files: self.deltas.len(),
            delta_bytes: self.deltas.iter().map(|(_, bytes)| bytes).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SnapshotFiles;

    #[test]
    fn a_snapshot_replaces_the_deltas_that_it_covers() {
        let delta = |batch| FileName::of(BatchId(batch), false, b"changes").to_string();
        let mut files = SizedFiles::new(None, vec![(delta(1), 10)]);
        // The changes of a batch may be in several files.
        for (batch, bytes) in [(2, 20), (2, 30), (3, 40)] {
            files.add_delta(delta(batch), bytes);
        }
        let before = files.progress();
        assert_eq!((before.snapshot_batch, before.snapshot_bytes), (None, 0));
        assert_eq!((before.delta_files, before.delta_bytes), (4, 100));

        files.adopt(Written {
            files: SnapshotFiles {
                batch: BatchId(2),
                parts: vec!["one".to_owned(), "two".to_owned()],
            },
            bytes: 50,
        });
        let expected = StateFilesProgress {
            snapshot_batch: Some(BatchId(2)),
            snapshot_files: 2,
            snapshot_bytes: 50,
            delta_files: 1,
            delta_bytes: 40,
        };
        assert_eq!(files.progress(), expected);
        assert_eq!(files.names().deltas, [delta(3)]);
    }
}
