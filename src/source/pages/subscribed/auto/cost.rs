//! What enhanced fan-out of a stream costs.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::options::{GB, Price, PriceList};

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

    /// The cost of pushing this traffic from `shards` shards of a provisioned stream.
    pub(super) fn cost(&self, shards: usize, now: Instant, prices: &PriceList) -> FanOutCost {
        let current = self.began.map_or(0.0, |began| self.rate_since(began, now));
        let bytes_per_hour = self.last.unwrap_or(current) * 3_600.0;
        FanOutCost {
            shards,
            gigabytes_per_hour: bytes_per_hour / GB,
            dollars: prices.cost(Price::FanOutShardHour, shards as f64)
                + prices.cost(Price::FanOutByte, bytes_per_hour),
            basis: prices.to_string(),
        }
    }
}

/// The cost of one hour.
#[derive(Debug, Clone)]
pub(super) struct FanOutCost {
    shards: usize,
    gigabytes_per_hour: f64,
    dollars: f64,
    /// What it is calculated from.
    basis: String,
}

impl fmt::Display for FanOutCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shards,
            gigabytes_per_hour,
            dollars,
            basis,
        } = self;
        let plural = if *shards == 1 { "" } else { "s" };
        write!(
            f,
            "costs about ${dollars:.3} per hour ({shards} shard{plural} and {gigabytes_per_hour:.1} GB per hour; an \
             estimate from {basis})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_follows_shards_and_the_traffic_of_the_last_minute() {
        let begin = Instant::now();
        let (mut traffic, prices) = (Traffic::default(), PriceList::built_in());
        assert_eq!(
            traffic.cost(1, begin, &prices).to_string(),
            "costs about $0.015 per hour (1 shard and 0.0 GB per hour; an estimate from list prices of 2025 (us-east-1))"
        );
        // A MiB per second.
        for second in 0..=150 {
            traffic.add(1 << 20, begin + Duration::from_secs(second));
        }
        let cost = traffic.cost(10, begin + Duration::from_secs(151), &prices);
        assert_eq!(
            cost.to_string(),
            "costs about $0.196 per hour (10 shards and 3.5 GB per hour; an estimate from list prices of 2025 (us-east-1))"
        );
    }
}
