//! What a query costs per hour.

use super::usage::Usage;
use crate::model::StreamName;
use crate::options::{Price, PriceList};

/// An estimate of what a query costs per hour, by list prices in US dollars.
///
/// A stream that several queries read counts in each of them. The shards of a stream that the query writes to, storage
/// and transfer of data are not included.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct EstimatedCost {
    /// The sum of the parts.
    pub total: f64,
    /// Open shards of the provisioned streams that are read.
    pub shard_hours: f64,
    /// Retention of these streams beyond 24 hours.
    pub extended_retention: f64,
    /// On-demand streams that are read: the streams, and what is polled from them.
    pub on_demand_reads: f64,
    /// Enhanced fan-out: shards and bytes.
    pub fan_out: f64,
    /// Records that are written to a provisioned stream.
    pub put_payload_units: f64,
    /// Bytes that are written to an on-demand stream.
    pub on_demand_writes: f64,
    /// Requests to a checkpoint in S3 or DynamoDB, its state files and its stop lock.
    pub checkpoint_requests: f64,
    /// The metrics of the query in CloudWatch, without the requests of the process.
    pub cloud_watch: f64,
    /// The year, month or day of the prices.
    pub prices_as_of: String,
    /// The region of the prices.
    pub prices_region: String,
    /// What the figures are: `an estimate from list prices of 2025 (us-east-1)`.
    pub note: String,
    /// Streams whose server does not say how they are billed, so that they count as provisioned.
    pub assumed_provisioned: Vec<StreamName>,
}

impl EstimatedCost {
    /// The currency of all figures.
    pub const CURRENCY: &'static str = "USD";

    pub(super) fn new(
        per_hour: &Usage,
        prices: &PriceList,
        assumed_provisioned: Vec<StreamName>,
    ) -> Self {
        let mut cost = Self {
            total: 0.0,
            shard_hours: per_hour.cost([Price::ShardHour], prices),
            extended_retention: per_hour.cost([Price::ExtendedRetentionShardHour], prices),
            on_demand_reads: per_hour
                .cost([Price::OnDemandStreamHour, Price::OnDemandByteOut], prices),
            fan_out: per_hour.cost(
                [
                    Price::FanOutShardHour,
                    Price::FanOutByte,
                    Price::OnDemandFanOutByte,
                ],
                prices,
            ),
            put_payload_units: per_hour.cost([Price::PutPayloadUnit], prices),
            on_demand_writes: per_hour.cost([Price::OnDemandByteIn], prices),
            checkpoint_requests: per_hour.cost(
                [
                    Price::S3Write,
                    Price::S3Read,
                    Price::DynamoDbWriteUnit,
                    Price::DynamoDbReadUnit,
                ],
                prices,
            ),
            cloud_watch: per_hour.cost([Price::CloudWatchMetricMonth], prices),
            prices_as_of: prices.as_of.clone(),
            prices_region: prices.region.clone(),
            note: note(prices, &assumed_provisioned),
            assumed_provisioned,
        };
        cost.total = cost.parts().iter().map(|(_, dollars)| dollars).sum();
        cost
    }

    /// The parts by their names in JSON.
    pub fn parts(&self) -> [(&'static str, f64); 8] {
        [
            ("shardHours", self.shard_hours),
            ("extendedRetention", self.extended_retention),
            ("onDemandReads", self.on_demand_reads),
            ("fanOut", self.fan_out),
            ("putPayloadUnits", self.put_payload_units),
            ("onDemandWrites", self.on_demand_writes),
            ("checkpointRequests", self.checkpoint_requests),
            ("cloudWatch", self.cloud_watch),
        ]
    }
}

fn note(prices: &PriceList, assumed_provisioned: &[StreamName]) -> String {
    let names = assumed_provisioned.iter();
    let names = names
        .map(|stream| format!("'{stream}'"))
        .collect::<Vec<_>>();
    match names.is_empty() {
        true => format!("an estimate from {prices}"),
        false => format!(
            "an estimate from {prices}; counts as provisioned, because its mode is not known: {}",
            names.join(", ")
        ),
    }
}
