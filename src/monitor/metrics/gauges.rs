//! Reads what the queries are doing at present.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ShardMetrics;
use super::catalog::Metric;
use super::series::{Series, Value};
use super::totals::{ReaderCounts, Totals};
use crate::model::UnixMillis;
use crate::options::ConsumerType;
use crate::query::{
    Alarm, KinesisMetrics, ObservedQuery, QueryHealth, ShardStage, ShardStatus, SinkStatus,
    SourceShards, StreamingQueryProgress,
};

/// The largest number of shards with metrics of their own, unless those of all are requested.
const MAX_SHARDS: usize = 100;

/// Gauges of queries, and counters of their shards.
#[derive(Debug)]
pub(super) struct Gauges(BTreeMap<Series, Value>);

impl Default for Gauges {
    fn default() -> Self {
        let mut gauges = Self(BTreeMap::new());
        gauges.set(Metric::Build, [&env!("CARGO_PKG_VERSION").into()], 1.0);
        gauges
    }
}

impl Gauges {
    /// Adds the newest run of a query. What its readers have counted by now goes into `totals`.
    pub(super) fn add(
        &mut self,
        query: &Arc<str>,
        run: &ObservedQuery,
        shards: ShardMetrics,
        totals: &mut Totals,
    ) {
        let description = run.description();
        let labels = [
            query,
            &run.id().into(),
            &run.run_id().into(),
            &description.trigger.to_string().into(),
            &description.sink.as_str().into(),
        ];
        self.set(Metric::Query, labels, 1.0);
        self.set(Metric::Active, [query], is_true(run.is_active()));
        let started = seconds_since_1970(description.started_at);
        self.set(Metric::StartTime, [query], started);
        self.health(query, &run.health());
        if !run.is_active() {
            return;
        }
        if let Some(progress) = run.last_progress() {
            self.batch(query, &progress);
        }
        let mut counts: BTreeMap<Arc<str>, ReaderCounts> = BTreeMap::new();
        for source in run.readers() {
            let stream = Arc::from(source.stream.as_str());
            self.readers(query, &stream, &source.metrics);
            counts.entry(stream).or_default().add(&source.metrics);
        }
        for (stream, counts) in counts {
            totals.readers(query, run.run_id(), &stream, &counts);
        }
        if let Some(sink) = run.sink() {
            self.sink(query, &sink);
            totals.puts(query, &sink.put_latency);
        }
        for source in run.shards() {
            self.source_shards(query, &source, shards);
        }
    }

    fn health(&mut self, query: &Arc<str>, health: &QueryHealth) {
        self.set(Metric::Healthy, [query], is_true(health.is_healthy()));
        for alarm in [Alarm::ErrorRate, Alarm::Failed, Alarm::Lag, Alarm::Stuck] {
            let mut raised = health.reasons.iter().map(|reason| reason.alarm);
            let labels = [query, &alarm.to_string().into()];
            let is_raised = raised.any(|raised| raised == alarm);
            self.set(Metric::AlarmRaised, labels, is_true(is_raised));
        }
        if let Some(lag) = health.rates.processing_lag {
            self.set(Metric::ProcessingLag, [query], lag.as_secs_f64());
        }
    }

    /// What the newest batch has left.
    fn batch(&mut self, query: &Arc<str>, progress: &StreamingQueryProgress) {
        let committed = progress.timestamp.plus(progress.batch_duration);
        let committed = seconds_since_1970(committed);
        self.set(Metric::CommitTime, [query], committed);
        if let Some(state) = &progress.state_operator {
            self.set(Metric::StateRows, [query], state.rows_total as f64);
            self.set(Metric::StateBytes, [query], state.memory_bytes as f64);
        }
        for (part, dollars) in progress.estimated_cost.parts() {
            self.set(Metric::EstimatedCost, [query, &part.into()], dollars);
        }
        let times = progress.event_time.as_ref();
        if let Some(watermark) = times.and_then(|times| times.watermark) {
            let delay = progress.timestamp.since(watermark);
            self.set(Metric::WatermarkDelay, [query], delay.as_secs_f64());
        }
    }

    fn readers(&mut self, query: &Arc<str>, stream: &Arc<str>, metrics: &KinesisMetrics) {
        let labels = [query, stream];
        if let Some(lag) = metrics.max_behind_latest {
            self.raise(Metric::Lag, labels, lag);
        }
        let is_pushed = metrics.consumer_type == ConsumerType::SubscribeToShard;
        self.set(Metric::FanOut, labels, is_true(is_pushed));
        for (metric, count) in [
            (Metric::BufferedBytes, metrics.prefetched_bytes),
            (Metric::OpenShards, metrics.open_shards),
            (Metric::DrainingShards, metrics.draining_shards),
        ] {
            self.increase(metric, labels, count);
        }
    }

    fn sink(&mut self, query: &Arc<str>, sink: &SinkStatus) {
        let records = sink.records_in_flight as f64;
        self.set(Metric::SinkInFlight, [query], records);
        let oldest = sink.oldest_in_flight.unwrap_or_default();
        self.set(Metric::SinkOldest, [query], oldest.as_secs_f64());
    }

    fn source_shards(&mut self, query: &Arc<str>, source: &SourceShards, wanted: ShardMetrics) {
        let live = source.shards.iter();
        let live: Vec<&ShardStatus> = live
            .filter(|shard| shard.stage != ShardStage::Ended)
            .collect();
        if live.len() > MAX_SHARDS && wanted == ShardMetrics::UpTo100 {
            return;
        }
        let stream = Arc::from(source.stream.as_str());
        for status in live {
            let shard = Arc::from(status.shard.as_str());
            self.shard([query, &stream, &shard], status);
        }
    }

    fn shard(&mut self, labels: [&Arc<str>; 3], status: &ShardStatus) {
        if let Some(lag) = status.lag {
            self.raise(Metric::ShardLag, labels, lag);
        }
        self.increase(Metric::ShardBufferedBytes, labels, status.buffered_bytes);
        if let Some(rates) = status.rows_per_second {
            self.set(Metric::ShardRate, labels, rates.median);
        }
        self.set(Metric::ShardFailing, labels, is_true(status.is_failing));
        for (metric, count) in [
            (Metric::ShardThrottledCalls, status.throttled_calls),
            (Metric::ShardRetries, status.retries),
        ] {
            let series = Series::new(metric, labels);
            self.0.insert(series, Value::Counter(count));
        }
    }

    fn set<const N: usize>(&mut self, metric: Metric, labels: [&Arc<str>; N], value: f64) {
        let series = Series::new(metric, labels);
        self.0.insert(series, Value::Gauge(value));
    }

    /// Sets a gauge to the maximum of the sources that read the same stream.
    fn raise<const N: usize>(&mut self, metric: Metric, labels: [&Arc<str>; N], span: Duration) {
        let other = self.gauge(metric, labels).unwrap_or(0.0);
        self.set(metric, labels, span.as_secs_f64().max(other));
    }

    /// Sets a gauge to the sum of the sources that read the same stream.
    fn increase<const N: usize>(&mut self, metric: Metric, labels: [&Arc<str>; N], count: usize) {
        let others = self.gauge(metric, labels).unwrap_or(0.0);
        self.set(metric, labels, others + count as f64);
    }

    fn gauge<const N: usize>(&self, metric: Metric, labels: [&Arc<str>; N]) -> Option<f64> {
        match self.0.get(&Series::new(metric, labels)) {
            Some(Value::Gauge(value)) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn finish(self) -> BTreeMap<Series, Value> {
        self.0
    }
}

fn is_true(flag: bool) -> f64 {
    if flag { 1.0 } else { 0.0 }
}

fn seconds_since_1970(time: UnixMillis) -> f64 {
    time.0 as f64 / 1_000.0
}
