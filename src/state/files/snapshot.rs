//! Snapshots: the whole state as it was behind a batch, written while the batches go on.

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

/// Memory of the groups that go into one part of a snapshot, before they are compressed.
const PART_BYTES: usize = 64 << 20;

/// A snapshot that is being written.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) batch: BatchId,
    task: JoinHandle<Result<Written>>,
}

/// A snapshot that is written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) files: SnapshotFiles,
    pub(super) bytes: usize,
}

impl Snapshot {
    /// Begins to write the state as it was behind `batch`.
    pub(super) fn begin(batch: BatchId, image: StateImage, objects: Arc<StateObjects>) -> Self {
        let task = tokio::spawn(write(batch, image, objects).in_current_span());
        Self { batch, task }
    }

    pub(super) fn is_done(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for its end.
    pub(super) async fn written(&mut self) -> Result<Written> {
        match (&mut self.task).await {
            Ok(written) => written,
            Err(error) => Err(Error::internal(format!(
                "a snapshot was not written: {error}"
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
        let made = made.map_err(|error| Error::internal(format!("a snapshot stopped: {error}")))?;
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

/// The parts of a snapshot that are not made yet.
struct Parts {
    schema: SchemaRef,
    groups: StateColumns,
    rows: Box<dyn Iterator<Item = datafusion::common::Result<RecordBatch>> + Send>,
    /// It is made of no rows, too: it says what the columns are.
    is_first: bool,
}

impl Parts {
    /// The next part; `None` behind the last.
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
    fn without_groups_it_is_one_part_that_says_what_the_columns_are() {
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
