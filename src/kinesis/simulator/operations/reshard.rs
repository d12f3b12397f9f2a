//! SplitShard, MergeShards and UpdateShardCount.

use crate::kinesis::limits::MAX_TARGET_SHARDS;
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::errors::invalid;
use crate::kinesis::simulator::state::reshard::ReshardTime;
use crate::kinesis::simulator::state::stream::{Stream, StreamState};
use crate::kinesis::{ApiResult, Operation};
use crate::model::{HashKey, ShardId, StreamIdentity, UnixMillis};

impl InMemoryKinesis {
    /// Closes an open shard and opens two children. The second child starts at hash key `at`, which
    /// must lie strictly inside the shard's range (SplitShard). Takes effect at once, however long
    /// the stream stays `Updating`.
    pub async fn split_shard(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        at: HashKey,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::SplitShard;
        self.change(OPERATION, stream, |stream, state, now| {
            let range = self.shard(OPERATION, stream, state, shard)?.hash_range;
            let position = self.open_position(OPERATION, stream, state, shard)?;
            if at.0 <= range.start.0.saturating_add(1) || at >= range.end {
                let message = format!(
                    "NewStartingHashKey {at} used in SplitShard() on shard {shard} in stream {} \
                     under account {} is not both greater than one plus the shard's \
                     StartingHashKey {} and less than the shard's EndingHashKey {}.",
                    stream.name(),
                    stream.account(),
                    range.start,
                    range.end
                );
                return Err(invalid(OPERATION, message));
            }
            state.split(position, at, &self.reshard_time(now));
            Ok(())
        })
        .await
    }

    /// Closes two open shards with adjacent ranges and opens one child, whose parent is `shard` and
    /// whose adjacent parent is `adjacent` (MergeShards). Takes effect at once.
    pub async fn merge_shards(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        adjacent: &ShardId,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::MergeShards;
        self.change(OPERATION, stream, |stream, state, now| {
            for id in [shard, adjacent] {
                self.shard(OPERATION, stream, state, id)?;
            }
            let first = self.open_position(OPERATION, stream, state, shard)?;
            let second = self.open_position(OPERATION, stream, state, adjacent)?;
            if first.abs_diff(second) != 1 {
                let message = format!(
                    "Shards {shard} and {adjacent} in stream {} under account {} are not an \
                     adjacent pair of shards eligible for merging",
                    stream.name(),
                    stream.account()
                );
                return Err(invalid(OPERATION, message));
            }
            let parents = [shard.clone(), adjacent.clone()];
            state.merge(first.min(second), &parents, &self.reshard_time(now));
            Ok(())
        })
        .await
    }

    /// Splits and merges until there are `target` shards with equal ranges; `target` must be
    /// between half and twice the current number (UpdateShardCount with uniform scaling). Takes
    /// effect at once. AWS's limit of ten changes per day is not simulated.
    pub async fn update_shard_count(&self, stream: &StreamIdentity, target: u32) -> ApiResult<()> {
        const OPERATION: Operation = Operation::UpdateShardCount;
        self.change(OPERATION, stream, |_, state, now| {
            let open = u32::try_from(state.open.len()).unwrap_or(u32::MAX);
            let (least, most) = (
                open.div_ceil(2),
                open.saturating_mul(2).min(MAX_TARGET_SHARDS),
            );
            if !(least..=most).contains(&target) {
                let message = format!(
                    "UpdateShardCount cannot scale below half or over double the open shard count. \
                     Current open shard count: {open} Target shard count: {target}"
                );
                return Err(invalid(OPERATION, message));
            }
            state.scale_uniformly(target, &self.reshard_time(now));
            Ok(())
        })
        .await
    }

    fn open_position(
        &self,
        operation: Operation,
        stream: &Stream,
        state: &StreamState,
        shard: &ShardId,
    ) -> ApiResult<usize> {
        state.open_position_of(shard).ok_or_else(|| {
            let message = format!(
                "Shard {shard} in stream {} under account {} is closed and cannot be resharded.",
                stream.name(),
                stream.account()
            );
            invalid(operation, message)
        })
    }

    fn reshard_time(&self, now: UnixMillis) -> ReshardTime<'_> {
        let seconds = &self.creation_seconds;
        ReshardTime { now, seconds }
    }
}
