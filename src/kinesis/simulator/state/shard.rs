//! One shard: identity, records, and closure.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::rate_limits::{ReadBudget, WriteBudget};
use super::record_log::RecordLog;
use super::sequence_number::{ENDING_COUNTER, NumberOrigin};
use crate::kinesis::ChildShard;
use crate::model::{HashRange, SequenceNumber, Shard, ShardId, UnixMillis};

/// A shard of the simulator.
#[derive(Debug)]
pub(in crate::kinesis) struct ShardState {
    pub(in crate::kinesis) id: ShardId,
    pub(in crate::kinesis) index: u32,
    /// The parents: none, one (split) or two (merge).
    pub(in crate::kinesis) parents: Vec<ShardId>,
    pub(in crate::kinesis) hash_range: HashRange,
    pub(in crate::kinesis) origin: NumberOrigin,
    pub(in crate::kinesis) created_at: UnixMillis,
    content: RwLock<Content>,
    read_budget: Mutex<ReadBudget>,
    /// Wakes subscriptions when records arrive and when the shard closes.
    changed: Notify,
}

/// The mutable part of a shard.
#[derive(Debug)]
pub(in crate::kinesis) struct Content {
    pub(in crate::kinesis) log: RecordLog,
    pub(in crate::kinesis) closure: Option<Closure>,
    pub(in crate::kinesis) write_budget: WriteBudget,
    /// Set before the retention period grows, so that an expired shard stays expired.
    expired: bool,
}

/// When a shard was closed, and its children.
#[derive(Debug, Clone)]
pub(in crate::kinesis) struct Closure {
    pub(in crate::kinesis) at: UnixMillis,
    pub(in crate::kinesis) children: Vec<ChildShard>,
}

impl ShardState {
    pub(in crate::kinesis) fn new(
        index: u32,
        parents: Vec<ShardId>,
        hash_range: HashRange,
        created_second: u64,
        created_at: UnixMillis,
    ) -> Self {
        let content = Content {
            log: RecordLog::default(),
            closure: None,
            write_budget: WriteBudget::new(),
            expired: false,
        };
        Self {
            id: shard_id(index),
            index,
            parents,
            hash_range,
            origin: NumberOrigin {
                created_second,
                shard_index: index,
            },
            created_at,
            content: RwLock::new(content),
            read_budget: Mutex::new(ReadBudget::new()),
            changed: Notify::new(),
        }
    }

    pub(in crate::kinesis) fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::kinesis) fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes at the next change after this call.
    pub(in crate::kinesis) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Wakes subscriptions after a change.
    pub(in crate::kinesis) fn wake_subscriptions(&self) {
        self.changed.notify_waiters();
    }

    pub(in crate::kinesis) fn read_budget(&self) -> MutexGuard<'_, ReadBudget> {
        let budget = self.read_budget.lock();
        budget.unwrap_or_else(PoisonError::into_inner)
    }

    /// The sequence number of the record at `index`.
    pub(in crate::kinesis) fn number_at(&self, index: u64, arrival: UnixMillis) -> SequenceNumber {
        self.origin.number(counter_of(index), arrival).to_sequence()
    }

    /// The shard as ListShards describes it.
    pub(in crate::kinesis) fn describe(&self) -> Shard {
        let ending = self.read().closure.as_ref().map(|closure| closure.at);
        let mut parents = self.parents.iter().cloned();
        let number = |counter, at| self.origin.number(counter, at).to_sequence();
        Shard {
            id: self.id.clone(),
            parent: parents.next(),
            adjacent_parent: parents.next(),
            hash_range: self.hash_range,
            starting_sequence: number(0, self.created_at),
            ending_sequence: ending.map(|at| number(ENDING_COUNTER, at)),
        }
    }

    /// The shard as the last page of its parent names it.
    pub(in crate::kinesis) fn as_child(&self) -> ChildShard {
        ChildShard {
            id: self.id.clone(),
            parents: self.parents.clone(),
            hash_range: self.hash_range,
        }
    }
}

impl Content {
    /// Whether the shard is closed and all its records are past `retention`.
    pub(in crate::kinesis) fn is_expired(&self, now: UnixMillis, retention: Duration) -> bool {
        let past = |closure: &Closure| closure.at.plus(retention) <= now;
        self.expired || self.closure.as_ref().is_some_and(past)
    }

    /// The index of the oldest record within `retention`.
    pub(in crate::kinesis) fn oldest(&self, now: UnixMillis, retention: Duration) -> u64 {
        self.log.index_at_time(now.minus(retention))
    }

    /// Permanently drops records past `retention`.
    pub(in crate::kinesis) fn expire(&mut self, now: UnixMillis, retention: Duration) {
        self.expired = self.is_expired(now, retention);
        let oldest = self.oldest(now, retention);
        self.log.trim(oldest);
    }
}

/// The counter in the sequence number of the record at `index`. It equals the index after the
/// record, because counter zero is the shard's starting number.
pub(in crate::kinesis) fn counter_of(index: u64) -> u64 {
    index + 1
}

/// The shard id: `shardId-` and the index in twelve digits.
pub(in crate::kinesis) fn shard_id(index: u32) -> ShardId {
    ShardId::new(format!("shardId-{index:012}"))
}

/// The index in a shard id; `None` if the id has another form.
pub(in crate::kinesis) fn index_of(id: &ShardId) -> Option<u32> {
    let digits = id.as_str().strip_prefix("shardId-")?;
    let well_formed = digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_id_round_trips_to_its_index() {
        assert_eq!(shard_id(37).as_str(), "shardId-000000000037");
        assert_eq!(index_of(&shard_id(37)), Some(37));
        for name in [
            "37",
            "shardId-37",
            "shardId-00000000003x",
            "shardId-+00000000037",
        ] {
            assert_eq!(index_of(&ShardId::new(name)), None, "{name}");
        }
    }
}
