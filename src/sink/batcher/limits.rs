//! How a writer maps records to lanes, and the limits of its buffers and waits.

use std::sync::Arc;
use std::time::Duration;

use super::OUTER_KEY;
use crate::sink::settings::SinkSettings;
use crate::sink::shard_map::ShardMap;

/// The longest wait; a longer one could overflow when added to an
/// [`Instant`](tokio::time::Instant).
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The longest send interval of a lane. It allows about thirty attempts within the default time to
/// live, so that many writers to one saturated shard all get records through.
const MAX_SEND_INTERVAL: Duration = Duration::from_secs(1);

/// How user records become Kinesis records.
#[derive(Debug, Clone)]
pub(in crate::sink) enum Layout {
    /// Aggregated per predicted shard; one lane per shard.
    Aggregated(Arc<ShardMap>),
    /// Sent plain; one lane per hashed partition key.
    Single,
    /// Sent plain, to a shard that the service chooses. There is no order to keep.
    Spread,
}

/// The limits of one writer.
#[derive(Debug, Clone)]
pub(in crate::sink) struct Limits {
    pub(in crate::sink) max_aggregate_bytes: usize,
    pub(in crate::sink) max_buffered: Duration,
    pub(in crate::sink) max_buffered_bytes: usize,
    pub(in crate::sink) record_ttl: Duration,
    /// The send interval of a lane after the first rejection.
    pub(in crate::sink) first_interval: Duration,
    /// The longest send interval.
    pub(in crate::sink) max_interval: Duration,
}

impl Limits {
    pub(in crate::sink) fn new(settings: &SinkSettings, max_record_bytes: usize) -> Self {
        let first_interval = (settings.flush_wait).clamp(Duration::from_millis(1), LONGEST_WAIT);
        Self {
            max_aggregate_bytes: (settings.max_aggregate_bytes)
                .min(max_record_bytes.saturating_sub(OUTER_KEY.len())),
            max_buffered: settings.max_buffered.min(LONGEST_WAIT),
            max_buffered_bytes: settings.max_buffered_bytes,
            record_ttl: (settings.record_ttl).map_or(LONGEST_WAIT, |ttl| ttl.min(LONGEST_WAIT)),
            first_interval,
            max_interval: MAX_SEND_INTERVAL.max(first_interval),
        }
    }
}
