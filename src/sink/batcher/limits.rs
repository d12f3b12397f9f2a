//! How a writer lays records out, and the limits it keeps.

use std::sync::Arc;
use std::time::Duration;

use super::OUTER_KEY;
use crate::sink::settings::SinkSettings;
use crate::sink::shard_map::ShardMap;

/// Longer waits than this could not be added to a time.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A record is tried some thirty times in the default time to live, so that many writers of one
/// saturated shard all get their turn.
const SLOWEST_PACE: Duration = Duration::from_secs(1);

/// How records become Kinesis records.
#[derive(Debug, Clone)]
pub(in crate::sink) enum Layout {
    /// Put together for the shard they are predicted for; a lane per shard.
    Aggregated(Arc<ShardMap>),
    /// Each alone; a lane per partition key.
    Single,
    /// Each alone, to a shard the service picks: there is no order to keep.
    Spread,
}

/// Limits that hold for one writer.
#[derive(Debug, Clone)]
pub(in crate::sink) struct Limits {
    pub(in crate::sink) max_aggregate_bytes: usize,
    pub(in crate::sink) max_buffered: Duration,
    pub(in crate::sink) max_buffered_bytes: usize,
    pub(in crate::sink) record_ttl: Duration,
    /// The time between two records of a lane after the first refusal.
    pub(in crate::sink) first_pace: Duration,
    /// The longest it grows to.
    pub(in crate::sink) slowest_pace: Duration,
}

impl Limits {
    pub(in crate::sink) fn new(settings: &SinkSettings, max_record_bytes: usize) -> Self {
        let first_pace = (settings.flush_wait).clamp(Duration::from_millis(1), LONGEST_WAIT);
        Self {
            max_aggregate_bytes: (settings.max_aggregate_bytes)
                .min(max_record_bytes.saturating_sub(OUTER_KEY.len())),
            max_buffered: settings.max_buffered.min(LONGEST_WAIT),
            max_buffered_bytes: settings.max_buffered_bytes,
            record_ttl: (settings.record_ttl).map_or(LONGEST_WAIT, |ttl| ttl.min(LONGEST_WAIT)),
            first_pace,
            slowest_pace: SLOWEST_PACE.max(first_pace),
        }
    }
}
