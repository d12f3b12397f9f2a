//! The shards that a query reads.

use serde::Serialize;

use super::hot::split_keys;
use super::mask::Mask;
use super::{millis, rate, timestamp};
use crate::model::HashKey;
use crate::query::{ObservedQuery, RateRange, ShardStage, ShardStatus};

/// The shards of a stream at present.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct SourceView {
    pub(in crate::monitor) stream: String,
    pub(in crate::monitor) shards: Vec<ShardView>,
}

/// A shard; the names of its fields are those of the API.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct ShardView {
    pub(in crate::monitor) shard_id: String,
    pub(in crate::monitor) status: &'static str,
    pub(in crate::monitor) is_closed: bool,
    pub(in crate::monitor) is_failing: bool,
    pub(in crate::monitor) parent_shard_ids: Vec<String>,
    pub(in crate::monitor) starting_hash_key: Option<String>,
    pub(in crate::monitor) ending_hash_key: Option<String>,
    pub(in crate::monitor) read_position: String,
    pub(in crate::monitor) taken_position: String,
    pub(in crate::monitor) ms_behind_latest: Option<u64>,
    pub(in crate::monitor) pending_rows: u64,
    pub(in crate::monitor) prefetched_bytes: usize,
    pub(in crate::monitor) num_input_rows: u64,
    pub(in crate::monitor) rows_per_second: Option<RatesView>,
    pub(in crate::monitor) throttled_calls: u64,
    pub(in crate::monitor) retries: u64,
    pub(in crate::monitor) last_error: Option<ErrorView>,
    pub(in crate::monitor) is_hot: bool,
    /// Where a split would halve it, if it is hot.
    pub(in crate::monitor) new_starting_hash_key: Option<String>,
}

/// Rates of the last batches.
#[derive(Debug, Serialize)]
pub(in crate::monitor) struct RatesView {
    pub(in crate::monitor) min: Option<f64>,
    pub(in crate::monitor) median: Option<f64>,
    pub(in crate::monitor) max: Option<f64>,
}

/// A failed request.
#[derive(Debug, Serialize)]
pub(in crate::monitor) struct ErrorView {
    pub(in crate::monitor) timestamp: String,
    pub(in crate::monitor) message: String,
}

impl SourceView {
    /// The shards of each source of a query.
    pub(in crate::monitor) fn all(run: &ObservedQuery, mask: &Mask) -> Vec<Self> {
        let sources = run.shards().into_iter().map(|source| {
            let keys = split_keys(&source.shards);
            let shards = source.shards.iter().zip(keys);
            let shards = shards.map(|(shard, key)| ShardView::of(shard, key, mask));
            Self {
                stream: mask.text(source.stream.as_str()),
                shards: shards.collect(),
            }
        });
        sources.collect()
    }
}

impl ShardView {
    fn of(shard: &ShardStatus, split: Option<HashKey>, mask: &Mask) -> Self {
        let range = shard.hash_range;
        Self {
            shard_id: shard.shard.to_string(),
            status: match shard.stage {
                ShardStage::Waiting => "waiting",
                ShardStage::CatchingUp => "catchingUp",
                ShardStage::AtTip => "atTip",
                ShardStage::Ended => "ended",
            },
            is_closed: shard.is_closed,
            is_failing: shard.is_failing,
            parent_shard_ids: shard.parents.iter().map(ToString::to_string).collect(),
            starting_hash_key: range.map(|range| range.start.to_string()),
            ending_hash_key: range.map(|range| range.end.to_string()),
            read_position: shard.read_position.to_string(),
            taken_position: shard.taken_position.to_string(),
            ms_behind_latest: shard.lag.map(millis),
            pending_rows: shard.pending_rows,
            prefetched_bytes: shard.buffered_bytes,
            num_input_rows: shard.last_rows,
            rows_per_second: shard.rows_per_second.map(|rates: RateRange| RatesView {
                min: rate(rates.min),
                median: rate(rates.median),
                max: rate(rates.max),
            }),
            throttled_calls: shard.throttled_calls,
            retries: shard.retries,
            last_error: shard.last_error.as_ref().map(|error| ErrorView {
                timestamp: timestamp(error.time),
                message: mask.text(&error.message),
            }),
            is_hot: split.is_some(),
            new_starting_hash_key: split.map(|key| key.to_string()),
        }
    }
}
