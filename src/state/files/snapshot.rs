//! [`Snapshot`]: writes the whole state after a batch while later batches run.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::encoding::{FileName, encode};
use crate::checkpoint::StateObjects;
use crate::error::{Error, Result};
use crate::model::{BatchId, SnapshotFiles};
use crate::state::memory::StateColumns;
use crate::state::memory::StateImage;

/// The memory of the groups in one part of a snapshot, before compression.
const PART_BYTES: usize = 64 << 20;

/// A snapshot in progress.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) batch: BatchId,
    task: JoinHandle<Result<Written>>,
}

/// A finished snapshot.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) files: SnapshotFiles,
    pub(super) bytes: usize,
}

impl Snapshot {
    /// Starts to write the state after `batch`.
    pub(super) fn begin(batch: BatchId, image: StateImage, objects: Arc<StateObjects>) -> Self {
        let task = tokio::spawn(write(batch, image, objects).in_current_span());
        Self { batch, task }
    }

    pub(super) fn is_done(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until it is finished.
    pub(super) async fn written(&mut self) -> Result<Written> {
        match (&mut self.task).await {
            Ok(written) => written,
            Err(error) => Err(Error::internal(format!(
                "the task of a snapshot failed: {error}"
            ))),
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Writes `image` in parts.
async fn write(batch: BatchId, image: StateImage, objects: Arc<StateObjects>) -> Result<Written> {
    let mut files = SnapshotFiles {
        batch,
        parts: Vec::new(),
    };
    let mut bytes = 0;
    let mut left = Parts {
        schema: Arc::clone(image.schema()),
        groups: image.describe(),
        rows: Box::new(image.rows()),
        is_first: true,
    };
    loop {
        let made = tokio::task::spawn_blocking(move || {
            let part = left.next()?;
            let named = part.map(|part| (FileName::of(batch, true, &part).to_string(), part));
            Ok((named, left))
        });
        let made = made.await;
        let made =
            made.map_err(|error| Error::internal(format!("encoding a snapshot failed: {error}")))?;
        let (part, rest) = made.map_err(crate::error::from_datafusion)?;
        let Some((name, part)) = part else {
            return Ok(Written { files, bytes });
        };
        left = rest;
        objects.create(&name, &part).await?;
        bytes += part.len();
        files.parts.push(name);
    }
}

/// The remaining parts of a snapshot.
struct Parts {
    schema: SchemaRef,
    groups: StateColumns,
    rows: Box<dyn Iterator<Item = datafusion::common::Result<RecordBatch>> + Send>,
    /// The first part is written even without rows: it describes the columns.
    is_first: bool,
}

impl Parts {
    /// The next part; `None` after the last.
    fn next(&mut self) -> datafusion::common::Result<Option<bytes::Bytes>> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while bytes < PART_BYTES {
            let Some(chunk) = self.rows.next() else {
                break;
            };
            let chunk = chunk?;
            bytes += chunk.get_array_memory_size();
            rows.push(chunk);
        }
        if rows.is_empty() && !std::mem::take(&mut self.is_first) {
            return Ok(None);
        }
        self.is_first = false;
        Ok(Some(encode(&self.schema, &self.groups, &rows)?))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::state::files::encoding::decode;

    #[test]
    fn a_snapshot_without_groups_has_one_part_that_describes_the_columns() {
        let fields = ["key", "count"].map(|name| Field::new(name, DataType::Int64, true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.to_vec()));
        let groups = StateColumns {
            groups: 1,
            ..StateColumns::default()
        };
        let mut parts = Parts {
            schema: Arc::clone(&schema),
            groups: groups.clone(),
            rows: Box::new(std::iter::empty()),
            is_first: true,
        };
        let part = parts.next().unwrap().unwrap();
        let name = FileName::of(BatchId(3), true, &part).to_string();
        let decoded = decode(&name, part).unwrap();
        assert_eq!((decoded.schema, decoded.groups), (schema, groups));
        assert!(decoded.rows.is_empty());
        assert!(parts.next().unwrap().is_none());
    }
}
