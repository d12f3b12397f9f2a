//! Counts what the queries of a session do, from their events.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::catalog::{DURATION_BOUNDS, Metric};
use super::series::{Histogram, Series, Value};
use crate::model::LatencyHistogram;
use crate::query::{
    KinesisMetrics, KinesisSinkMetrics, PayloadProgress, QueryEnd, RecordAges, SourceProgress,
    StateOperatorProgress, StreamingQueryProgress,
};

/// How many queries that have ended are kept.
const KEPT_ENDED: usize = 100;

/// The counters and histograms of all queries that are known.
#[derive(Debug, Default)]
pub(super) struct Totals {
    counters: BTreeMap<Series, u64>,
    histograms: BTreeMap<Series, Histogram>,
    /// What the readers of each run had counted when they were last looked at, by run id and stream.
    readers: BTreeMap<(String, Arc<str>), ReaderCounts>,
    /// The calls of the tables that queries write to, when they were last looked at, by query.
    sinks: BTreeMap<Arc<str>, Histogram>,
    /// How often each run that is remembered had to recover when it was last looked at.
    recoveries: BTreeMap<String, u64>,
    /// The running queries by run id.
    running: BTreeMap<String, Arc<str>>,
    /// The queries that have ended, in the order of their last ends.
    ended: VecDeque<Arc<str>>,
}

/// What the readers of a stream have counted since a query started.
#[derive(Debug, Clone, Default)]
pub(super) struct ReaderCounts {
    throttled: u64,
    retries: u64,
    renewals: u64,
    losses: u64,
    calls: Histogram,
}

impl ReaderCounts {
    /// Adds another source that reads the same stream.
    pub(super) fn add(&mut self, metrics: &KinesisMetrics) {
        self.throttled += metrics.throttled_calls;
        self.retries += metrics.retries;
        self.renewals += metrics.iterator_renewals;
        self.losses += metrics.losses;
        let calls = Histogram::of_calls(&metrics.get_records_latency);
        match self.calls.counts.is_empty() {
            true => self.calls = calls,
            false => self.calls.add(&calls.counts, calls.sum),
        }
    }
}

impl Totals {
    /// A query starts. Counters start at zero, so that the first failure is an increase.
    pub(super) fn started(&mut self, query: &Arc<str>, run_id: &str) {
        self.running.insert(run_id.to_owned(), Arc::clone(query));
        self.count(Metric::Starts, [query], 1);
        self.count(Metric::Batches, [query], 0);
        self.count(Metric::Ends, [query, &"failed".into()], 0);
    }

    /// A query has ended.
    pub(super) fn ended(&mut self, query: &Arc<str>, run_id: &str, end: QueryEnd) {
        let end = match end {
            QueryEnd::Failed => "failed",
            QueryEnd::Finished => "finished",
            QueryEnd::StopLock => "stop_lock",
            QueryEnd::Stopped => "stopped",
        };
        self.count(Metric::Ends, [query, &end.into()], 1);
        self.readers.retain(|(run, _), _| run != run_id);
        self.running.remove(run_id);
        self.ended.retain(|other| other != query);
        self.ended.push_back(Arc::clone(query));
        if self.ended.len() > KEPT_ENDED
            && let Some(oldest) = self.ended.pop_front()
            && !self.running.values().any(|query| *query == oldest)
        {
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, query: &Arc<str>) {
        let is_other = |series: &Series| series.label("query") != Some(query);
        self.counters.retain(|series, _| is_other(series));
        self.histograms.retain(|series, _| is_other(series));
        self.sinks.remove(query);
    }

    /// A batch is committed.
    pub(super) fn batch(&mut self, query: &Arc<str>, progress: &StreamingQueryProgress) {
        self.count(Metric::Batches, [query], 1);
        if let Some(rows) = progress.sink.num_output_rows {
            self.count(Metric::OutputRows, [query], rows);
        }
        if let Some(sink) = &progress.sink.metrics {
            self.sink(query, sink);
        }
        if let Some(state) = &progress.state_operator {
            self.state(query, state);
        }
        let duration = progress.batch_duration;
        self.observe(Metric::BatchDuration, [query], duration);
        let delay = progress.scheduling_delay;
        self.observe(Metric::SchedulingDelay, [query], delay);
        for (phase, duration) in &progress.durations {
            // The whole is the duration of the batch.
            if *phase != "triggerExecution" {
                let phase = Arc::from(*phase);
                self.observe(Metric::PhaseDuration, [query, &phase], *duration);
            }
        }
        let mut readers: BTreeMap<Arc<str>, ReaderCounts> = BTreeMap::new();
        for source in &progress.sources {
            let stream = Arc::from(source.stream.as_str());
            self.source(query, &stream, source);
            readers.entry(stream).or_default().add(&source.metrics);
        }
        for (stream, counts) in readers {
            self.readers(query, &progress.run_id, &stream, &counts);
        }
    }

    fn sink(&mut self, query: &Arc<str>, sink: &KinesisSinkMetrics) {
        for (metric, count) in [
            (Metric::SinkRecords, sink.records),
            (Metric::SinkBytes, sink.bytes),
            (Metric::SinkThrottled, sink.throttled_records),
            (Metric::SinkResent, sink.resent_records),
        ] {
            self.count(metric, [query], count);
        }
        self.puts(query, &sink.put_latency);
    }

    /// The calls that the target table of a query has sent by now.
    pub(super) fn puts(&mut self, query: &Arc<str>, latencies: &LatencyHistogram) {
        let seen = self.sinks.entry(Arc::clone(query)).or_default();
        let rise = seen.rise_to(&Histogram::of_calls(latencies));
        self.add(Metric::PutRecordsDuration, [query], &rise);
    }

    fn state(&mut self, query: &Arc<str>, state: &StateOperatorProgress) {
        self.count(Metric::StateRowsUpdated, [query], state.rows_updated);
        self.count(Metric::StateRowsRemoved, [query], state.rows_removed);
        let late = state.rows_dropped_by_watermark;
        self.count(Metric::LateRows, [query], late);
    }

    fn source(&mut self, query: &Arc<str>, stream: &Arc<str>, source: &SourceProgress) {
        let labels = [query, stream];
        self.count(Metric::InputRows, labels, source.num_input_rows);
        self.count(Metric::InputBytes, labels, source.num_input_bytes);
        if let Some(payload) = &source.payload {
            self.payload(labels, payload);
        }
        if let Some(ages) = &source.record_ages {
            let ages = Histogram {
                bounds: RecordAges::BOUNDS.to_vec(),
                counts: ages.counts.to_vec(),
                sum: ages.avg.as_secs_f64() * ages.records as f64,
            };
            self.add(Metric::RecordAge, labels, &ages);
        }
    }

    fn payload(&mut self, labels: [&Arc<str>; 2], payload: &PayloadProgress) {
        for (metric, count) in [
            (Metric::BadDocuments, payload.bad_documents),
            (Metric::SkippedDocuments, payload.skipped_documents),
            (Metric::TypeMismatches, payload.type_mismatches),
        ] {
            self.count(metric, labels, count);
        }
    }

    /// The readers of a run had counted this much at some time. Events may be older than what was seen before.
    pub(super) fn readers(
        &mut self,
        query: &Arc<str>,
        run_id: &str,
        stream: &Arc<str>,
        counts: &ReaderCounts,
    ) {
        // The end of a query may be known here before its readers are gone.
        if !self.running.contains_key(run_id) {
            return;
        }
        let key = (run_id.to_owned(), Arc::clone(stream));
        let seen = self.readers.entry(key).or_default();
        let rise = |seen: &mut u64, count: u64| {
            let rise = count.saturating_sub(*seen);
            *seen += rise;
            rise
        };
        let rises = [
            (
                Metric::ThrottledCalls,
                rise(&mut seen.throttled, counts.throttled),
            ),
            (Metric::Retries, rise(&mut seen.retries, counts.retries)),
            (
                Metric::IteratorRenewals,
                rise(&mut seen.renewals, counts.renewals),
            ),
            (Metric::DataLosses, rise(&mut seen.losses, counts.losses)),
        ];
        let calls = seen.calls.rise_to(&counts.calls);
        for (metric, rise) in rises {
            self.count(metric, [query, stream], rise);
        }
        self.add(Metric::GetRecordsDuration, [query, stream], &calls);
        self.count(Metric::InputRows, [query, stream], 0);
        self.count(Metric::InputBytes, [query, stream], 0);
    }

    /// How often the runs that are remembered had to recover by now, each with its query.
    pub(super) fn recoveries<'a>(&mut self, runs: impl Iterator<Item = (Arc<str>, &'a str, u64)>) {
        let seen = std::mem::take(&mut self.recoveries);
        for (query, run_id, count) in runs {
            let before = seen.get(run_id).copied().unwrap_or_default();
            let rise = count.saturating_sub(before);
            self.count(Metric::Recoveries, [&query], rise);
            self.recoveries.insert(run_id.to_owned(), before + rise);
        }
    }

    /// All values.
    pub(super) fn values(&self) -> impl Iterator<Item = (Series, Value)> {
        let counters = self.counters.iter();
        let counters = counters.map(|(series, count)| (series.clone(), Value::Counter(*count)));
        let histograms = self.histograms.iter();
        let histograms = histograms
            .map(|(series, histogram)| (series.clone(), Value::Histogram(histogram.clone())));
        counters.chain(histograms)
    }

    fn count<const N: usize>(&mut self, metric: Metric, labels: [&Arc<str>; N], count: u64) {
        *self
            .counters
            .entry(Series::new(metric, labels))
            .or_default() += count;
    }

    fn add<const N: usize>(&mut self, metric: Metric, labels: [&Arc<str>; N], more: &Histogram) {
        let histogram = self.histograms.entry(Series::new(metric, labels));
        let histogram = histogram.or_insert_with(|| Histogram::new(&more.bounds));
        histogram.add(&more.counts, more.sum);
    }

    fn observe<const N: usize>(
        &mut self,
        metric: Metric,
        labels: [&Arc<str>; N],
        duration: Duration,
    ) {
        let histogram = self.histograms.entry(Series::new(metric, labels));
        let histogram = histogram.or_insert_with(|| Histogram::new(&DURATION_BOUNDS));
        histogram.observe(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_ended_long_ago_are_forgotten() {
        let mut totals = Totals::default();
        let kept: Arc<str> = "kept".into();
        let again: Arc<str> = "again".into();
        totals.started(&kept, "of the kept");
        for query in [&again, &again] {
            totals.started(query, "of both");
            totals.ended(query, "of both", QueryEnd::Failed);
        }
        for number in 0..KEPT_ENDED {
            let query: Arc<str> = number.to_string().into();
            totals.started(&query, &query);
            totals.ended(&query, &query, QueryEnd::Finished);
        }
        let starts = |query: &Arc<str>| {
            let series = Series::new(Metric::Starts, [query]);
            totals.counters.get(&series).copied()
        };
        assert_eq!(starts(&kept), Some(1));
        assert_eq!(starts(&again), None);
        assert_eq!(starts(&"0".into()), Some(1));
        assert!(totals.readers.is_empty() && totals.running.len() == 1);
    }

    #[test]
    fn each_restart_of_a_crash_loop_counts_as_a_recovery() {
        let mut totals = Totals::default();
        let query: Arc<str> = "query".into();
        let mut see = |runs: &[(&'static str, u64)]| {
            let runs = runs.iter();
            totals.recoveries(runs.map(|(run, count)| (Arc::clone(&query), *run, *count)));
            totals.counters[&Series::new(Metric::Recoveries, [&query])]
        };
        assert_eq!(see(&[("1", 0)]), 0);
        // One of them ended between two looks.
        assert_eq!(see(&[("1", 0), ("2", 2), ("3", 1)]), 3);
        assert_eq!(see(&[("1", 0), ("2", 2), ("3", 2)]), 4);
        // Runs that ended long ago are forgotten.
        assert_eq!(see(&[("3", 2), ("4", 2)]), 6);
        assert_eq!(totals.recoveries.len(), 2);
    }

    #[test]
    fn counts_of_readers_never_go_back() {
        let mut totals = Totals::default();
        let labels: [Arc<str>; 2] = ["query".into(), "stream".into()];
        let [query, stream] = &labels;
        totals.started(query, "1");
        totals.started(query, "2");
        let mut read = |run: &str, throttled: u64| {
            let counts = ReaderCounts {
                throttled,
                ..ReaderCounts::default()
            };
            totals.readers(query, run, stream, &counts);
            totals.counters[&Series::new(Metric::ThrottledCalls, [query, stream])]
        };
        assert_eq!(read("1", 5), 5);
        assert_eq!(read("1", 3), 5, "an event that was late");
        assert_eq!(read("1", 6), 6);
        assert_eq!(read("2", 2), 8, "the next run counts from zero");
    }
}
