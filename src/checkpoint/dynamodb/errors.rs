//! Errors about the items of the table.

use super::super::committer::{Log, StoreError, StoreResult};
use super::DynamoDbCommitter;
use super::item::{self, ENTRY, Item, Slot};
use crate::error::{Error, ErrorKind};

impl DynamoDbCommitter {
    /// The error for an item that this program did not write.
    pub(super) fn foreign(&self, slot: Slot, what: &str) -> StoreError {
        let (location, name) = (&self.location, slot.name());
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': the item of {name} {what}, so something else changed it; \
                 restore the table from a backup, or give the query another name or checkpoint location, where \
                 it begins at its starting position"
            ),
        ))
    }

    /// The error for an item among the entries of a log whose number is not a batch.
    pub(super) fn not_a_batch(&self, log: Log, item: &Item) -> StoreError {
        let number = item.get(ENTRY).and_then(|number| number.as_n().ok());
        let number = number.map_or("?", String::as_str);
        let (location, collection) = (&self.location, item::collection(&self.query, log.name()));
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': the item '{collection}', {number} does not belong to a checkpoint: \
                 expected the number of a batch as the sort key; delete it"
            ),
        ))
    }

    /// The error for an entry that is too large for one transaction.
    pub(super) fn too_large(&self, slot: Slot, bytes: usize, most: usize) -> StoreError {
        let (location, name) = (&self.location, slot.name());
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': {name} has {bytes} bytes when compressed: expected at most {most}, \
                 the limit of a DynamoDB transaction; keep the offsets of this query in an object \
                 store: 'kinesis.metadataCommitterType' = 'HDFS'"
            ),
        ))
    }

    /// The error for an entry that existed a moment ago.
    pub(super) fn gone<T>(&self, slot: Slot) -> StoreResult<T> {
        let (location, name) = (&self.location, slot.name());
        Err(StoreError::transient(Error::new(
            ErrorKind::Unavailable,
            format!("checkpoint '{location}': {name} existed before, but is gone now"),
        )))
    }

    pub(super) fn no_epoch_left(&self) -> StoreError {
        let location = &self.location;
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': epoch {} is the largest possible number, so this program did \
                 not write it; restore the table from a backup",
                u64::MAX
            ),
        ))
    }

    /// The error for a table that has neither the epoch of this handle nor a newer one.
    pub(super) fn epoch_removed(&self) -> StoreError {
        let location = &self.location;
        StoreError::permanent(Error::new(
            ErrorKind::Checkpoint,
            format!(
                "checkpoint '{location}': the header item was deleted or reset while its query is \
                 running, so a second writer would not be fenced; start the query again"
            ),
        ))
    }
}
