//! One stream: settings, shards, and routing of records to shards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::consumers::Consumers;
use super::rate_limits::Bucket;
use super::shard::{ShardState, index_of};
use crate::kinesis::limits::{DEFAULT_MAX_RECORD_BYTES, LISTINGS_PER_SECOND, MIN_RETENTION};
use crate::kinesis::{RecordDistribution, StreamMode, StreamStatus, StreamSummary};
use crate::model::{HashKey, HashRange, ShardId, StreamIdentity, StreamName, UnixMillis};

/// A stream of the simulator.
#[derive(Debug)]
pub(in crate::kinesis) struct Stream {
    /// Distinguishes the stream from an earlier one of the same name.
    pub(in crate::kinesis) id: u64,
    pub(in crate::kinesis) identity: StreamIdentity,
    pub(in crate::kinesis) created_at: UnixMillis,
    state: RwLock<StreamState>,
    listings: Mutex<Bucket>,
    /// Locked before the state, never while it is locked.
    consumers: Mutex<Consumers>,
    /// The next position in the round robin of a stream that chooses shards itself.
    round_robin: AtomicU64,
}

/// The settings of a new stream.
#[derive(Debug, Clone, Copy)]
pub(in crate::kinesis) struct NewStream {
    pub(in crate::kinesis) mode: StreamMode,
    pub(in crate::kinesis) shard_count: u32,
    pub(in crate::kinesis) max_record_bytes: usize,
    pub(in crate::kinesis) distribution: RecordDistribution,
}

impl NewStream {
    /// The defaults: provisioned, 1 MiB records, routing by partition key.
    pub(in crate::kinesis) fn with_shards(shard_count: u32) -> Self {
        Self {
            mode: StreamMode::Provisioned,
            shard_count,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            distribution: RecordDistribution::PartitionKey,
        }
    }
}

/// The mutable part of a stream.
#[derive(Debug)]
pub(in crate::kinesis) struct StreamState {
    /// All shards by index, including expired ones, which are only left out of listings.
    pub(in crate::kinesis) shards: Vec<Arc<ShardState>>,
    /// Indexes of the open shards, ordered by hash range. The ranges cover the hash space.
    pub(in crate::kinesis) open: Vec<u32>,
    pub(in crate::kinesis) retention: Duration,
    pub(in crate::kinesis) max_record_bytes: usize,
    pub(in crate::kinesis) distribution: RecordDistribution,
    pub(in crate::kinesis) mode: StreamMode,
    pub(in crate::kinesis) encryption: Encryption,
    #[cfg(feature = "simulator")]
    pub(in crate::kinesis) settings: super::settings::Settings,
    phase: StreamStatus,
    phase_ends: UnixMillis,
}

impl Stream {
    pub(in crate::kinesis) fn new(
        identity: StreamIdentity,
        new: &NewStream,
        created_second: u64,
        now: UnixMillis,
    ) -> Self {
        let ranges = uniform_ranges(new.shard_count);
        let shards: Vec<_> = (0..)
            .zip(ranges)
            .map(|(index, range)| {
                Arc::new(ShardState::new(index, vec![], range, created_second, now))
            })
            .collect();
        let state = StreamState {
            open: shards.iter().map(|shard| shard.index).collect(),
            shards,
            retention: MIN_RETENTION,
            max_record_bytes: new.max_record_bytes,
            distribution: new.distribution,
            mode: new.mode,
            encryption: Encryption::default(),
            #[cfg(feature = "simulator")]
            settings: super::settings::Settings::default(),
            phase: StreamStatus::Active,
            phase_ends: now,
        };
        let listings = f64::from(LISTINGS_PER_SECOND);
        Self {
            id: created_second,
            identity,
            created_at: now,
            state: RwLock::new(state),
            listings: Mutex::new(Bucket::new(listings, listings)),
            consumers: Mutex::default(),
            round_robin: AtomicU64::new(0),
        }
    }

    pub(in crate::kinesis) fn name(&self) -> &StreamName {
        self.identity.name()
    }

    pub(in crate::kinesis) fn account(&self) -> &str {
        self.identity.arn_account().unwrap_or_default()
    }

    pub(in crate::kinesis) fn read(&self) -> RwLockReadGuard<'_, StreamState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::kinesis) fn write(&self) -> RwLockWriteGuard<'_, StreamState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::kinesis) fn listings(&self) -> MutexGuard<'_, Bucket> {
        let listings = self.listings.lock();
        listings.unwrap_or_else(PoisonError::into_inner)
    }

    /// The consumers, including those whose deregistration is complete.
    pub(in crate::kinesis) fn consumers(&self) -> MutexGuard<'_, Consumers> {
        let consumers = self.consumers.lock();
        consumers.unwrap_or_else(PoisonError::into_inner)
    }

    /// The next position in the round robin.
    pub(in crate::kinesis) fn next_round_robin(&self) -> u64 {
        self.round_robin.fetch_add(1, Ordering::Relaxed)
    }

    pub(in crate::kinesis) fn summary(&self, now: UnixMillis) -> StreamSummary {
        let state = self.read();
        StreamSummary {
            stream: self.identity.clone(),
            arn: self.identity.arn().unwrap_or_default().into(),
            status: state.status(now),
            created_at: self.created_at,
            retention: state.retention,
            open_shards: u32::try_from(state.open.len()).unwrap_or(u32::MAX),
            max_record_bytes: state.max_record_bytes,
            distribution: state.distribution,
            mode: Some(state.mode),
        }
    }
}

/// The times at which encryption was alternately turned on and off.
#[derive(Debug, Clone, Default)]
pub(in crate::kinesis) struct Encryption(Vec<UnixMillis>);

impl Encryption {
    /// Whether a record that arrived at `time` is encrypted.
    pub(in crate::kinesis) fn covers(&self, time: UnixMillis) -> bool {
        let changes = self.0.partition_point(|change| *change <= time);
        !changes.is_multiple_of(2)
    }

    #[cfg(feature = "simulator")]
    pub(in crate::kinesis) fn set(&mut self, on: bool, now: UnixMillis) {
        if on == self.0.len().is_multiple_of(2) {
            self.0.push(now);
        }
    }
}

impl StreamState {
    /// The status at `now`. `Deleting` stays until the stream is dropped.
    pub(in crate::kinesis) fn status(&self, now: UnixMillis) -> StreamStatus {
        if self.phase != StreamStatus::Deleting && now >= self.phase_ends {
            StreamStatus::Active
        } else {
            self.phase
        }
    }

    /// Whether the stream was deleted and the deletion is complete.
    pub(in crate::kinesis) fn is_deleted(&self, now: UnixMillis) -> bool {
        self.phase == StreamStatus::Deleting && now >= self.phase_ends
    }

    pub(in crate::kinesis) fn enter(&mut self, phase: StreamStatus, until: UnixMillis) {
        self.phase = phase;
        self.phase_ends = until;
    }

    /// The shard with this id, unless it has expired.
    pub(in crate::kinesis) fn shard(
        &self,
        id: &ShardId,
        now: UnixMillis,
    ) -> Option<&Arc<ShardState>> {
        let shard = self.shards.get(index_of(id)? as usize)?;
        (!shard.read().is_expired(now, self.retention)).then_some(shard)
    }

    /// The open shard that covers `key`.
    pub(in crate::kinesis) fn shard_for(&self, key: HashKey) -> &Arc<ShardState> {
        &self.shards[self.open[self.open_position(key)] as usize]
    }

    /// The open shard at this position of the round robin.
    pub(in crate::kinesis) fn round_robin_shard(&self, round_robin: u64) -> &Arc<ShardState> {
        let position = round_robin % self.open.len().max(1) as u64;
        &self.shards[self.open[position as usize] as usize]
    }

    /// The position in `open` of the shard that covers `key`.
    pub(in crate::kinesis) fn open_position(&self, key: HashKey) -> usize {
        let after = self
            .open
            .partition_point(|index| self.shards[*index as usize].hash_range.start <= key);
        after.saturating_sub(1)
    }
}

/// Divides the hash space into `count` equal ranges; the last one takes the remainder.
pub(in crate::kinesis) fn uniform_ranges(count: u32) -> Vec<HashRange> {
    if count <= 1 {
        return vec![HashRange::ALL];
    }
    // The width is 2^128 / count, but 2^128 does not fit in a u128.
    let count = u128::from(count);
    let width = u128::MAX / count + u128::from(u128::MAX % count == count - 1);
    (0..count)
        .map(|number| HashRange {
            start: HashKey(number * width),
            end: HashKey(if number + 1 == count {
                u128::MAX
            } else {
                (number + 1) * width - 1
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_ranges_cover_the_hash_space_without_gaps() {
        for count in [1, 2, 3, 4, 7, 1_000] {
            let ranges = uniform_ranges(count);
            assert_eq!(ranges.len(), count as usize);
            assert_eq!(ranges[0].start, HashKey(0));
            assert_eq!(ranges[ranges.len() - 1].end, HashKey(u128::MAX));
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].end.0 + 1, pair[1].start.0);
            }
        }
    }

    #[test]
    fn two_shards_meet_in_the_middle_of_the_hash_space() {
        assert_eq!(uniform_ranges(2)[1].start, HashKey(1 << 127));
    }
}
