//! What is to be read, and with what.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::kinesis::{IteratorPosition, Kinesis};
use crate::model::{
    Clock, HashRange, RetryPolicy, ShardId, ShardPosition, StreamIdentity, UnixMillis,
};
use crate::options::SourceOptions;

/// What all shards of one scan share.
#[derive(Debug, Clone)]
pub(crate) struct ReadContext {
    pub(crate) kinesis: Arc<dyn Kinesis>,
    pub(crate) stream: StreamIdentity,
    pub(crate) options: SourceOptions,
    pub(crate) retry: RetryPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    /// Pages being fetched at once, over all shards: bounds the memory of bodies not yet decoded.
    pub(crate) fetches: Arc<Semaphore>,
    /// Shards that are read side by side.
    pub(crate) shards: usize,
}

/// What is to be read of one shard: all from `start` on that was there at `begun_at`.
#[derive(Debug, Clone)]
pub(crate) struct ShardRead {
    pub(crate) shard: ShardId,
    /// Set where user records outside it are left out.
    pub(crate) hash_range: Option<HashRange>,
    pub(crate) start: ShardPosition,
    pub(crate) begun_at: UnixMillis,
    /// The most rows.
    pub(crate) limit: Option<u64>,
}

/// A place inside an aggregated record is reached by reading that record again.
pub(super) fn iterator_position(position: &ShardPosition) -> IteratorPosition {
    match position {
        ShardPosition::TrimHorizon => IteratorPosition::TrimHorizon,
        ShardPosition::AtTimestamp(time) => IteratorPosition::AtTimestamp(*time),
        ShardPosition::At(sequence)
        | ShardPosition::After {
            sequence,
            sub_sequence: Some(_),
        } => IteratorPosition::At(sequence.clone()),
        ShardPosition::After {
            sequence,
            sub_sequence: None,
        } => IteratorPosition::After(sequence.clone()),
        ShardPosition::ShardEnd => IteratorPosition::Latest,
    }
}
