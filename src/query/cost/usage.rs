//! Amounts of what AWS charges for.

use crate::checkpoint::BilledRequests;
use crate::options::{Price, PriceList};

/// An amount for each price, in single units: shards, bytes, requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage([f64; Price::ALL.len()]);

impl Default for Usage {
    fn default() -> Self {
        Self([0.0; Price::ALL.len()])
    }
}

impl Usage {
    pub(super) fn add(&mut self, price: Price, amount: f64) {
        self.0[price as usize] += amount;
    }

    /// Both.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        for (amount, other) in self.0.iter_mut().zip(other.0) {
            *amount += other;
        }
        self
    }

    /// What was used after `earlier`, per hour of `hours`.
    pub(super) fn rate_since(mut self, earlier: &Self, hours: f64) -> Self {
        for (amount, earlier) in self.0.iter_mut().zip(earlier.0) {
            *amount = (*amount - earlier).max(0.0) / hours;
        }
        self
    }

    /// What these cost.
    pub(super) fn cost<const N: usize>(&self, of: [Price; N], prices: &PriceList) -> f64 {
        let costs = of.map(|price| prices.cost(price, self.0[price as usize]));
        costs.iter().sum()
    }
}

impl From<BilledRequests> for Usage {
    fn from(requests: BilledRequests) -> Self {
        let mut usage = Self::default();
        for (price, amount) in [
            (Price::S3Write, requests.s3_writes as f64),
            (Price::S3Read, requests.s3_reads as f64),
            (Price::DynamoDbWriteUnit, requests.dynamodb_write_units),
            (Price::DynamoDbReadUnit, requests.dynamodb_read_units),
        ] {
            usage.add(price, amount);
        }
        usage
    }
}
