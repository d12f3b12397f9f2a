//! What reading a shard counts, as metrics of the plan: EXPLAIN ANALYZE shows them.

use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder,
};

use crate::source::rows::Findings;
use crate::source::rows::PageSlice;

/// Counters of one shard's read.
#[derive(Debug, Clone)]
pub(crate) struct ReadCounters {
    /// Rows and time.
    pub(crate) baseline: BaselineMetrics,
    /// Kinesis records; an aggregated one counts once.
    pub(crate) records: Count,
    /// Data and partition keys of these records.
    pub(crate) bytes: Count,
    /// Kinesis records of these that were in memory already.
    pub(crate) buffered_records: Count,
    /// GetRecords that were sent.
    pub(crate) calls: Count,
    /// GetRecords that were throttled.
    pub(crate) throttles: Count,
    /// GetRecords that failed for other reasons and were sent again.
    pub(crate) retries: Count,
    /// Aggregated records that pointed outside their own tables and were kept whole.
    pub(crate) damaged_aggregates: Count,
    /// User records outside the hash range of their shard, left out.
    pub(crate) filtered: Count,
    /// Reads that found records gone: ranges that could not be read whole any more, and places that
    /// retention had overtaken. The metric `lost_ranges` of the plan; a streaming query adds those of
    /// its batches to the losses its readers found.
    pub(crate) lost_ranges: Count,
    /// How far the last page ended behind the tip.
    pub(crate) millis_behind_latest: Gauge,
}

impl ReadCounters {
    /// Counters of `partition`, registered in `metrics`.
    pub(crate) fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let count = |name| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            baseline: BaselineMetrics::new(metrics, partition),
            records: count("records"),
            bytes: count("bytes"),
            buffered_records: count("buffered_records"),
            calls: count("calls"),
            throttles: count("throttles"),
            retries: count("retries"),
            damaged_aggregates: count("damaged_aggregates"),
            filtered: count("filtered"),
            lost_ranges: count("lost_ranges"),
            millis_behind_latest: MetricBuilder::new(metrics)
                .gauge("millis_behind_latest", partition),
        }
    }
    /// Counts what a read takes of a page.
    pub(crate) fn add_slice(&self, slice: &PageSlice) {
        self.records.add(slice.records().len());
        self.bytes.add(slice.size_bytes());
    }

    /// Counts what opening pages has come across.
    pub(crate) fn add(&self, findings: Findings) {
        self.damaged_aggregates.add(findings.damaged);
        self.filtered.add(findings.filtered);
    }
}
