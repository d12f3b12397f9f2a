//! What is wrong with what stands in the table, and with what was to stand there.

use super::super::committer::{Log, StoreError, StoreResult};
use super::DynamoDbCommitter;
use super::item::{self, ENTRY, Item, Slot};
use crate::error::{Error, ErrorKind};

impl DynamoDbCommitter {
    /// An item that this program has not written.
    pub(super) fn foreign(&self, slot: Slot, what: &str) -> StoreError {
        let (location, name) = (&self.location, slot.name());
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': the item of {name} {what}, so it was changed by hand; restore \
                 the table from a backup, or give the query another name or checkpoint location, where \
                 it begins at its starting position"
            ),
        ))
    }

    /// An item among the entries of a log whose number is no batch.
    pub(super) fn not_a_batch(&self, log: Log, item: &Item) -> StoreError {
        let number = item.get(ENTRY).and_then(|number| number.as_n().ok());
        let number = number.map_or("?", String::as_str);
        let (location, collection) = (&self.location, item::collection(&self.query, log.name()));
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': the item '{collection}', {number} is not of this checkpoint, \
                 where the sort key is the number of a batch; delete it"
            ),
        ))
    }

    /// Refuses an entry that no transaction takes.
    pub(super) fn too_large(&self, slot: Slot, bytes: usize, most: usize) -> StoreError {
        let (location, name) = (&self.location, slot.name());
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': {name} has {bytes} bytes, compressed, expected at most {most}, \
                 which is what DynamoDB takes at once; keep the offsets of this query in an object \
                 store: 'kinesis.metadataCommitterType' = 'HDFS'"
            ),
        ))
    }

    /// An entry that was there a moment ago.
    pub(super) fn gone<T>(&self, slot: Slot) -> StoreResult<T> {
        let (location, name) = (&self.location, slot.name());
        Err(StoreError::transient(Error::new(
            ErrorKind::Unavailable,
            format!("checkpoint '{location}': {name} was there and is gone"),
        )))
    }

    pub(super) fn no_epoch_left(&self) -> StoreError {
        let location = &self.location;
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': epoch {} was taken or is named by an entry, and none is \
                 greater; it was not written by this program: restore the table from a backup",
                u64::MAX
            ),
        ))
    }

    /// The epoch of this handle is not in the table, and no newer one is.
    pub(super) fn epoch_removed(&self) -> StoreError {
        let location = &self.location;
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': the header item was removed or set back while its query \
                 runs, so nothing keeps a second writer out; start the query again"
            ),
        ))
    }
}
