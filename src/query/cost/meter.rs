//! Counts what a query uses.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::estimate::EstimatedCost;
use super::usage::Usage;
use crate::checkpoint::BilledRequests;
use crate::kinesis::{StreamMode, StreamSummary};
use crate::model::StreamName;
use crate::options::{HOURS_PER_MONTH, Price, PriceList};

/// The time over which use is averaged.
const WINDOW: Duration = Duration::from_secs(600);

/// How far apart the counts are that are kept for that.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(30);

/// A shorter time counts as this long: the first requests of a query are not its usual ones.
const SHORTEST: Duration = Duration::from_secs(60);

/// The retention that costs nothing.
const FREE_RETENTION: Duration = Duration::from_secs(24 * 3_600);

/// How many metrics of each query of a session are published in CloudWatch.
#[derive(Debug, Default)]
pub(in crate::query) struct PublishedMetrics {
    per_query: AtomicU32,
    per_stream: AtomicU32,
}

impl PublishedMetrics {
    #[cfg(feature = "cloudwatch")]
    pub(in crate::query) fn set(&self, per_query: u32, per_stream: u32) {
        self.per_query.store(per_query, Ordering::Relaxed);
        self.per_stream.store(per_stream, Ordering::Relaxed);
    }

    fn of_query(&self, streams: usize) -> f64 {
        let count = |count: &AtomicU32| f64::from(count.load(Ordering::Relaxed));
        count(&self.per_query) + count(&self.per_stream) * streams as f64
    }
}

/// A source of a batch, with what was read from it and the shards that it has by now.
#[derive(Debug, Clone, Copy)]
pub(in crate::query) struct MeteredSource<'a> {
    pub(in crate::query) stream: &'a StreamSummary,
    pub(in crate::query) open_shards: usize,
    pub(in crate::query) draining_shards: usize,
    /// Whether enhanced fan-out pushes the records.
    pub(in crate::query) is_pushed: bool,
    pub(in crate::query) bytes: u64,
}

/// What a batch has written to a stream.
#[derive(Debug, Clone, Copy)]
pub(in crate::query) struct MeteredPuts<'a> {
    pub(in crate::query) stream: &'a StreamSummary,
    pub(in crate::query) payload_units: u64,
    pub(in crate::query) kilobytes: u64,
}

/// A batch that was committed.
#[derive(Debug, Clone)]
pub(in crate::query) struct MeteredBatch<'a> {
    pub(in crate::query) sources: Vec<MeteredSource<'a>>,
    pub(in crate::query) puts: Vec<MeteredPuts<'a>>,
    /// All requests to the checkpoint since the start.
    pub(in crate::query) requests: BilledRequests,
}

/// Counts what a query uses.
#[derive(Debug)]
pub(in crate::query) struct CostMeter {
    prices: Arc<PriceList>,
    published: Arc<PublishedMetrics>,
    /// What batches have used since the start.
    used: Usage,
    /// What was used at earlier times. The first is the newest that is at least a window old, or the start.
    samples: VecDeque<(Instant, Usage)>,
}

impl CostMeter {
    /// A query that starts at `now`.
    pub(in crate::query) fn new(
        prices: Arc<PriceList>,
        published: Arc<PublishedMetrics>,
        now: Instant,
    ) -> Self {
        Self {
            prices,
            published,
            used: Usage::default(),
            samples: VecDeque::from([(now, Usage::default())]),
        }
    }

    /// The cost per hour after a batch that was committed at `now`.
    pub(in crate::query) fn committed(
        &mut self,
        batch: &MeteredBatch<'_>,
        now: Instant,
    ) -> EstimatedCost {
        for source in &batch.sources {
            if let Some(price) = source.price_of_bytes() {
                self.used.add(price, source.bytes as f64);
            }
        }
        for puts in &batch.puts {
            let (price, amount) = match is_on_demand(puts.stream) {
                true => (Price::OnDemandByteIn, puts.kilobytes * 1_024),
                false => (Price::PutPayloadUnit, puts.payload_units),
            };
            self.used.add(price, amount as f64);
        }
        let used = self.used.plus(&batch.requests.into());
        let held = held(&batch.sources, &self.published);
        let per_hour = self.rate(used, now).plus(&held);
        EstimatedCost::new(&per_hour, &self.prices, assumed(batch))
    }

    /// What is used per hour, given everything that was used since the start.
    fn rate(&mut self, used: Usage, now: Instant) -> Usage {
        let age = |at: Instant| now.saturating_duration_since(at);
        while let Some((second, _)) = self.samples.get(1)
            && age(*second) >= WINDOW
        {
            self.samples.pop_front();
        }
        let (since, earlier) = self.samples[0];
        let hours = age(since).max(SHORTEST).as_secs_f64() / 3_600.0;
        let is_due = |(at, _): &(Instant, Usage)| age(*at) >= SAMPLE_INTERVAL;
        if self.samples.back().is_none_or(is_due) {
            self.samples.push_back((now, used));
        }
        used.rate_since(&earlier, hours)
    }
}

impl MeteredSource<'_> {
    /// What a byte that was read costs; `None` if it is free.
    fn price_of_bytes(&self) -> Option<Price> {
        match (self.is_pushed, is_on_demand(self.stream)) {
            (true, true) => Some(Price::OnDemandFanOutByte),
            (true, false) => Some(Price::FanOutByte),
            (false, true) => Some(Price::OnDemandByteOut),
            (false, false) => None,
        }
    }
}

/// What the streams cost while nothing happens. A stream that is read twice costs once.
fn held(sources: &[MeteredSource<'_>], published: &PublishedMetrics) -> Usage {
    let (mut held, mut streams) = (Usage::default(), BTreeSet::new());
    for source in sources {
        let (stream, open) = (source.stream, source.open_shards as f64);
        let is_first = streams.insert(&stream.arn);
        match (is_on_demand(stream), is_first) {
            (true, true) => held.add(Price::OnDemandStreamHour, 1.0),
            (false, true) => {
                held.add(Price::ShardHour, open);
                if stream.retention > FREE_RETENTION {
                    held.add(Price::ExtendedRetentionShardHour, open);
                }
            }
            (_, false) => {}
        }
        if source.is_pushed && !is_on_demand(stream) {
            let draining = source.draining_shards as f64;
            held.add(Price::FanOutShardHour, open + draining);
        }
    }
    let metrics = published.of_query(streams.len());
    held.add(Price::CloudWatchMetricMonth, metrics / HOURS_PER_MONTH);
    held
}

fn is_on_demand(stream: &StreamSummary) -> bool {
    stream.mode == Some(StreamMode::OnDemand)
}

/// The streams whose mode is not known.
fn assumed(batch: &MeteredBatch<'_>) -> Vec<StreamName> {
    let sources = batch.sources.iter().map(|source| source.stream);
    let streams = sources.chain(batch.puts.iter().map(|puts| puts.stream));
    let unknown = streams.filter(|stream| stream.mode.is_none());
    let unknown: BTreeSet<&StreamName> = unknown.map(|stream| stream.stream.name()).collect();
    unknown.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests;
