//! PutRecords and PutRecord.

use std::sync::Arc;

use crate::kinesis::limits::{MAX_BYTES_PER_PUT, MAX_PARTITION_KEY_CHARS, MAX_RECORDS_PER_PUT};
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::faults::EntryFaults;
use crate::kinesis::simulator::state::shard::ShardState;
use crate::kinesis::simulator::state::stream::{Stream, StreamState};
use crate::kinesis::{
    ApiResult, Operation, PutEntry, PutFailure, PutOutcome, RecordDistribution, WrittenRecord,
};
use crate::model::{HashKey, StreamIdentity, UnixMillis};

/// A record to write, borrowed from the request.
#[derive(Debug, Clone, Copy)]
pub(in crate::kinesis) struct Incoming<'a> {
    pub(in crate::kinesis) data: &'a [u8],
    /// Optional if the service chooses the shard.
    pub(in crate::kinesis) partition_key: Option<&'a str>,
    pub(in crate::kinesis) explicit_hash_key: Option<HashKey>,
}

impl<'a> From<&'a PutEntry> for Incoming<'a> {
    fn from(entry: &'a PutEntry) -> Self {
        Self {
            data: &entry.data,
            partition_key: Some(&entry.partition_key),
            explicit_hash_key: entry.explicit_hash_key,
        }
    }
}

impl Incoming<'_> {
    fn size_bytes(&self) -> usize {
        self.data.len() + self.partition_key.map_or(0, str::len)
    }

    fn hash_key(&self) -> HashKey {
        self.explicit_hash_key
            .unwrap_or_else(|| HashKey::of_partition_key(self.partition_key.unwrap_or_default()))
    }
}

impl InMemoryKinesis {
    /// PutRecord: a failure of the entry fails the call.
    pub(in crate::kinesis) async fn put_one(
        &self,
        stream: &StreamIdentity,
        entry: Incoming<'_>,
    ) -> ApiResult<WrittenRecord> {
        const OPERATION: Operation = Operation::PutRecord;
        let outcomes = self.put(OPERATION, stream, &[entry]).await?;
        let failed =
            |failure: PutFailure| error(OPERATION, failure_code(&failure), failure.message);
        match outcomes.into_iter().next() {
            Some(outcome) => outcome.map_err(failed),
            None => Err(error(OPERATION, "InternalFailure", "no outcome")),
        }
    }

    /// PutRecords and PutRecord.
    pub(in crate::kinesis) async fn put(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        entries: &[Incoming<'_>],
    ) -> ApiResult<Vec<PutOutcome>> {
        let mut faults = self.faults.admit(operation).await?;
        let stream = self.open_stream(operation, stream)?;
        let outcomes = self.put_now(operation, &stream, entries, faults.entries.as_mut())?;
        self.answer(operation, &faults, outcomes)
    }

    fn put_now(
        &self,
        operation: Operation,
        stream: &Stream,
        entries: &[Incoming<'_>],
        mut faults: Option<&mut EntryFaults>,
    ) -> ApiResult<Vec<PutOutcome>> {
        // Locked during the whole call, so that no shard closes between choosing it and writing to
        // it.
        let state = stream.read();
        self.check_entries(operation, &state, entries)?;
        let now = self.clock.now();
        let outcomes = entries.iter().map(|entry| {
            if faults.as_mut().is_some_and(|faults| faults.should_fail()) {
                return Err(PutFailure {
                    throttled: false,
                    message: "Internal service failure (injected fault).".to_owned(),
                });
            }
            let shard = match state.distribution {
                RecordDistribution::PartitionKey => state.shard_for(entry.hash_key()),
                RecordDistribution::Service => state.round_robin_shard(stream.next_round_robin()),
            };
            self.write(stream, &state, shard, entry, now)
        });
        Ok(outcomes.collect())
    }

    fn write(
        &self,
        stream: &Stream,
        state: &StreamState,
        shard: &Arc<ShardState>,
        entry: &Incoming<'_>,
        now: UnixMillis,
    ) -> PutOutcome {
        let mut content = shard.write();
        if self.options.enforce_limits && !content.write_budget.admits(entry.size_bytes(), now) {
            return Err(PutFailure {
                throttled: true,
                message: self.rate_exceeded(stream, shard),
            });
        }
        let oldest = content.oldest(now, state.retention);
        content.log.trim(oldest);
        let (index, arrival) = content.log.append(entry.data, entry.partition_key, now);
        drop(content);
        shard.wake_subscriptions();
        Ok(WrittenRecord {
            shard: shard.id.clone(),
            sequence: shard.number_at(index, arrival),
        })
    }

    /// Checks the conditions that fail the whole call.
    fn check_entries(
        &self,
        operation: Operation,
        state: &StreamState,
        entries: &[Incoming<'_>],
    ) -> ApiResult<()> {
        if !(1..=MAX_RECORDS_PER_PUT).contains(&entries.len()) {
            let message = format!(
                "1 validation error detected: Value at 'records' failed to satisfy constraint: \
                 Member must have length between 1 and {MAX_RECORDS_PER_PUT}; it has {}.",
                entries.len()
            );
            return Err(error(operation, "ValidationException", message));
        }
        let mut total = 0;
        for (number, entry) in (1..).zip(entries) {
            let size = entry.size_bytes();
            total += size;
            if size > state.max_record_bytes {
                let message = format!(
                    "1 validation error detected: Value at '{}' failed to satisfy constraint: \
                     Data and partition key must have at most {} bytes together; they have {size}.",
                    path_of(operation, number, "data"),
                    state.max_record_bytes
                );
                return Err(error(operation, "ValidationException", message));
            }
            self.check_partition_key(operation, state.distribution, number, entry)?;
        }
        if total > MAX_BYTES_PER_PUT {
            let message = format!(
                "Records size exceeds 10 MB limit: data and partition keys have {total} bytes."
            );
            return Err(invalid(operation, message));
        }
        Ok(())
    }

    fn check_partition_key(
        &self,
        operation: Operation,
        distribution: RecordDistribution,
        number: usize,
        entry: &Incoming<'_>,
    ) -> ApiResult<()> {
        let valid = match entry.partition_key {
            None => distribution == RecordDistribution::Service,
            // Counting characters is linear; a key of few bytes has few characters.
            Some(key) if key.len() <= MAX_PARTITION_KEY_CHARS => !key.is_empty(),
            Some(key) => key.chars().count() <= MAX_PARTITION_KEY_CHARS,
        };
        if valid {
            return Ok(());
        }
        let path = path_of(operation, number, "partitionKey");
        let message = format!(
            "1 validation error detected: Value at '{path}' failed to satisfy constraint: Member \
             must have length between 1 and {MAX_PARTITION_KEY_CHARS}."
        );
        Err(error(operation, "ValidationException", message))
    }
}

/// How messages name a member of the record with this number, counted from 1.
fn path_of(operation: Operation, number: usize, member: &str) -> String {
    match operation {
        Operation::PutRecord => member.to_owned(),
        _ => format!("records.{number}.member.{member}"),
    }
}

/// The error code of an entry that was not written.
pub(in crate::kinesis) fn failure_code(failure: &PutFailure) -> &'static str {
    if failure.throttled {
        "ProvisionedThroughputExceededException"
    } else {
        "InternalFailure"
    }
}
