//! Kinesis records that are not yet acknowledged, and requests made of them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::aggregation::{Opened, UserRecord, add_checksums, open_checked};
use crate::error::{Error, Result};
use crate::kinesis::PutEntry;
use crate::kinesis::limits::{MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT};
use crate::model::{HashKey, HashRange, ShardId};

/// One Kinesis record that is not yet acknowledged.
#[derive(Debug)]
pub(in crate::sink) struct Entry {
    pub(in crate::sink) put: PutEntry,
    pub(in crate::sink) state: EntryState,
}

/// What the writer tracks about a record; not sent to the service.
#[derive(Debug)]
pub(in crate::sink) struct EntryState {
    /// The lane of the record.
    pub(in crate::sink) lane: usize,
    /// The number of user records in it.
    pub(in crate::sink) rows: u64,
    /// Whether it is an aggregate.
    pub(in crate::sink) aggregated: bool,
    /// Whether the checksum of the aggregate was computed, if it is one.
    pub(in crate::sink) has_checksum: bool,
    /// The bytes it counts against the buffer limit.
    pub(in crate::sink) charged_bytes: usize,
    pub(in crate::sink) history: History,
    /// Whether it has been sent, and so counts in the window of unacknowledged records.
    pub(in crate::sink) admitted: bool,
    /// The shard it was written to, if not the predicted one. It may have to be sent again.
    pub(in crate::sink) written_to: Option<ShardId>,
}

/// The attempts of a record, or of the record in an aggregate with the most attempts.
#[derive(Debug, Clone, Default)]
pub(in crate::sink) struct History {
    /// When it was first rejected, which starts its time to live. Waiting for a connection or a
    /// response is not a rejection.
    pub(in crate::sink) first_rejected: Option<Instant>,
    pub(in crate::sink) attempts: u32,
    pub(in crate::sink) last_failure: Option<Arc<str>>,
}

impl History {
    pub(in crate::sink) fn rejected(&mut self, failure: String, now: Instant) {
        self.first_rejected.get_or_insert(now);
        self.last_failure = Some(failure.into());
    }

    /// Merges the history of another record that was added to the same aggregate.
    pub(in crate::sink) fn merge(&mut self, other: &Self) {
        self.first_rejected = match (self.first_rejected, other.first_rejected) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.attempts = self.attempts.max(other.attempts);
        if self.last_failure.is_none() {
            self.last_failure.clone_from(&other.last_failure);
        }
    }
}

impl Entry {
    /// Calls `take` with each user record in it.
    pub(in crate::sink) fn for_each_user_record(
        &self,
        mut take: impl FnMut(&UserRecord<'_>),
    ) -> Result<()> {
        if !self.state.aggregated {
            take(&UserRecord {
                partition_key: &self.put.partition_key,
                explicit_hash_key: self.put.explicit_hash_key,
                data: &self.put.data,
            });
            return Ok(());
        }
        let Opened::Aggregate(records) = open_checked(&self.put.data) else {
            let message = "an aggregated record built by this writer cannot be decoded";
            return Err(Error::internal(message));
        };
        records.for_each(|record| take(&record));
        Ok(())
    }

    /// Whether `range` covers every user record in it.
    pub(in crate::sink) fn is_within(&self, range: HashRange) -> Result<bool> {
        let mut within = true;
        self.for_each_user_record(|record| within &= range.contains(record.hash_key()))?;
        Ok(within)
    }

    /// The partition key of its first user record, for messages.
    pub(in crate::sink) fn first_key(&self) -> String {
        let mut key = None;
        // If it cannot be decoded, falls back to the outer key.
        let _ = self.for_each_user_record(|record| {
            key.get_or_insert_with(|| record.partition_key.to_owned());
        });
        key.unwrap_or_else(|| self.put.partition_key.as_ref().to_owned())
    }
}

/// The request entry of one plain user record.
pub(in crate::sink) fn plain_put(record: &UserRecord<'_>, data: Bytes) -> PutEntry {
    PutEntry {
        data,
        partition_key: record.partition_key.into(),
        explicit_hash_key: record.explicit_hash_key,
    }
}

/// The request entry of an aggregate. The outer key carries no information, so the hash key of the
/// first user record routes the aggregate to its shard.
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

/// The records of one PutRecords: at most 500 records and 10 MiB.
#[derive(Debug, Default)]
pub(in crate::sink) struct Request {
    /// The entries as sent to the service.
    pub(in crate::sink) puts: Vec<PutEntry>,
    states: Vec<EntryState>,
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
        self.states.push(entry.state);
    }

    /// Computes the checksums that the aggregates among the records lack.
    pub(in crate::sink) fn add_checksums(&mut self) {
        let records = self.puts.iter_mut().zip(&mut self.states);
        let lacking = records.filter(|(_, state)| !state.has_checksum);
        add_checksums(lacking.map(|(put, state)| {
            state.has_checksum = true;
            &mut put.data
        }));
    }

    pub(in crate::sink) fn len(&self) -> usize {
        self.puts.len()
    }

    /// The records in the order they were sent.
    pub(in crate::sink) fn into_entries(
        self,
    ) -> impl DoubleEndedIterator<Item = Entry> + ExactSizeIterator {
        (self.puts.into_iter())
            .zip(self.states)
            .map(|(put, state)| Entry { put, state })
    }
}
