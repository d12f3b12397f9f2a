//! What enhanced fan-out of a stream costs.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// For a shard and hour, and for a GB (list prices of us-east-1 for provisioned streams,
/// <https://aws.amazon.com/kinesis/data-streams/pricing/>).
const DOLLARS_PER_SHARD_HOUR: f64 = 0.015;
const DOLLARS_PER_GB: f64 = 0.013;

/// The time over which traffic is averaged.
const WINDOW: Duration = Duration::from_secs(60);

/// The bytes that were read recently.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    began: Option<Instant>,
    bytes: u64,
    /// The rate in the last complete window.
    last: Option<f64>,
}

impl Traffic {
    pub(super) fn add(&mut self, bytes: usize, now: Instant) {
        let began = *self.began.get_or_insert(now);
        if now.duration_since(began) >= WINDOW {
            self.last = Some(self.rate_since(began, now));
            (self.began, self.bytes) = (Some(now), 0);
        }
        self.bytes += bytes as u64;
    }

    fn rate_since(&self, began: Instant, now: Instant) -> f64 {
        let seconds = now.duration_since(began).as_secs_f64();
        self.bytes as f64 / seconds.max(1.0)
    }

    /// The cost of pushing this traffic from `shards` shards.
    pub(super) fn cost(&self, shards: usize, now: Instant) -> FanOutCost {
        let current = self.began.map_or(0.0, |began| self.rate_since(began, now));
        FanOutCost {
            shards,
            gigabytes_per_hour: self.last.unwrap_or(current) * 3_600.0 / 1e9,
        }
    }
}

/// The cost of one hour.
#[derive(Debug, Clone, Copy)]
pub(super) struct FanOutCost {
    shards: usize,
    gigabytes_per_hour: f64,
}

impl fmt::Display for FanOutCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shards,
            gigabytes_per_hour,
        } = *self;
        let dollars = shards as f64 * DOLLARS_PER_SHARD_HOUR + gigabytes_per_hour * DOLLARS_PER_GB;
        let plural = if shards == 1 { "" } else { "s" };
        write!(
            f,
            "costs about ${dollars:.3} per hour ({shards} shard{plural} and {gigabytes_per_hour:.1} GB per hour; an \
             estimate from list prices of us-east-1)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_follows_shards_and_the_traffic_of_the_last_minute() {
        let begin = Instant::now();
        let mut traffic = Traffic::default();
        assert_eq!(
            traffic.cost(1, begin).to_string(),
            "costs about $0.015 per hour (1 shard and 0.0 GB per hour; an estimate from list prices of us-east-1)"
        );
        // A megabyte per second.
        for second in 0..=150 {
            traffic.add(1_000_000, begin + Duration::from_secs(second));
        }
        let cost = traffic.cost(10, begin + Duration::from_secs(151));
        assert_eq!(
            cost.to_string(),
            "costs about $0.197 per hour (10 shards and 3.6 GB per hour; an estimate from list prices of us-east-1)"
        );
    }
}
