//! Kinesis records on their way out: what is put, whom it stands for, what became of it so far.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::aggregation::{Opened, UserRecord, open};
use crate::error::{Error, Result};
use crate::kinesis::PutEntry;
use crate::kinesis::limits::{MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT};
use crate::model::{HashKey, HashRange, ShardId};

/// One Kinesis record that is not acknowledged yet.
#[derive(Debug)]
pub(in crate::sink) struct Entry {
    pub(in crate::sink) put: PutEntry,
    pub(in crate::sink) tag: Tag,
}

/// What the writer knows of a Kinesis record and the service does not.
#[derive(Debug)]
pub(in crate::sink) struct Tag {
    /// The lane it belongs to.
    pub(in crate::sink) lane: usize,
    /// User records inside.
    pub(in crate::sink) rows: u64,
    /// Whether they are wrapped.
    pub(in crate::sink) aggregated: bool,
    /// What it counts against the buffer's limit.
    pub(in crate::sink) charged_bytes: usize,
    pub(in crate::sink) history: History,
    /// Set from its first try on.
    pub(in crate::sink) admitted: bool,
    /// Set when it was written to another shard than predicted: it may have to be sent again.
    pub(in crate::sink) landed: Option<ShardId>,
}

/// The tries of a record, or of the most tried one in an aggregate.
#[derive(Debug, Clone, Default)]
pub(in crate::sink) struct History {
    /// When its time to live began. Waiting for a connection or for an answer is no refusal.
    pub(in crate::sink) first_refused: Option<Instant>,
    pub(in crate::sink) tries: u32,
    pub(in crate::sink) last_failure: Option<Arc<str>>,
}

impl History {
    pub(in crate::sink) fn refused(&mut self, failure: String, now: Instant) {
        self.first_refused.get_or_insert(now);
        self.last_failure = Some(failure.into());
    }

    /// The history of records that go together from now on.
    pub(in crate::sink) fn merge(&mut self, other: &Self) {
        self.first_refused = match (self.first_refused, other.first_refused) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.tries = self.tries.max(other.tries);
        if self.last_failure.is_none() {
            self.last_failure.clone_from(&other.last_failure);
        }
    }
}

impl Entry {
    /// Hands each of its user records to `take`.
    pub(in crate::sink) fn for_each_user_record(
        &self,
        mut take: impl FnMut(&UserRecord<'_>),
    ) -> Result<()> {
        if !self.tag.aggregated {
            take(&UserRecord {
                partition_key: &self.put.partition_key,
                explicit_hash_key: self.put.explicit_hash_key,
                data: &self.put.data,
            });
            return Ok(());
        }
        let Opened::Aggregate(records) = open(&self.put.data) else {
            let message = "an aggregated record of this writer cannot be opened again";
            return Err(Error::internal(message));
        };
        records.for_each(|record| take(&record));
        Ok(())
    }

    /// Whether a shard of `range` takes every user record inside.
    pub(in crate::sink) fn is_within(&self, range: HashRange) -> Result<bool> {
        let mut within = true;
        self.for_each_user_record(|record| within &= range.contains(record.hash_key()))?;
        Ok(within)
    }

    /// A key to name it by: of the first user record.
    pub(in crate::sink) fn first_key(&self) -> String {
        let mut key = None;
        // What cannot be opened has its outer key.
        let _ = self.for_each_user_record(|record| {
            key.get_or_insert_with(|| record.partition_key.to_owned());
        });
        key.unwrap_or_else(|| self.put.partition_key.as_ref().to_owned())
    }
}

/// The put of one user record as it is.
pub(in crate::sink) fn plain_put(record: &UserRecord<'_>, data: Bytes) -> PutEntry {
    PutEntry {
        data,
        partition_key: record.partition_key.into(),
        explicit_hash_key: record.explicit_hash_key,
    }
}

/// The put of an aggregate. Its outer key says nothing, so the hash of its first user record
/// brings it to the shard it was made for.
pub(in crate::sink) fn aggregate_put(
    data: Bytes,
    outer_key: &Arc<str>,
    first: HashKey,
) -> PutEntry {
    PutEntry {
        data,
        partition_key: Arc::clone(outer_key),
        explicit_hash_key: Some(first),
    }
}

/// What goes out in one PutRecords: at most 500 records and 10 MiB.
#[derive(Debug, Default)]
pub(in crate::sink) struct Request {
    /// What the service gets.
    pub(in crate::sink) puts: Vec<PutEntry>,
    tags: Vec<Tag>,
    size_bytes: usize,
}

impl Request {
    pub(in crate::sink) fn has_room_for(&self, entry: &Entry) -> bool {
        let grown_bytes = self.size_bytes + entry.put.size_bytes();
        self.puts.is_empty()
            || (self.puts.len() < MAX_RECORDS_PER_PUT && grown_bytes <= MAX_BYTES_PER_PUT)
    }

    pub(in crate::sink) fn push(&mut self, entry: Entry) {
        self.size_bytes += entry.put.size_bytes();
        self.puts.push(entry.put);
        self.tags.push(entry.tag);
    }

    pub(in crate::sink) fn len(&self) -> usize {
        self.puts.len()
    }

    /// The records again, in the order they were sent.
    pub(in crate::sink) fn into_entries(
        self,
    ) -> impl DoubleEndedIterator<Item = Entry> + ExactSizeIterator {
        (self.puts.into_iter())
            .zip(self.tags)
            .map(|(put, tag)| Entry { put, tag })
    }
}
