//! The counters of a read, as metrics of its plan node: EXPLAIN ANALYZE shows them.

use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder,
};

use crate::source::rows::{Findings, PageSlice};

/// The counters of one partition.
#[derive(Debug, Clone)]
pub(crate) struct ReadCounters {
    /// Output rows and time.
    pub(crate) baseline: BaselineMetrics,
    /// Kinesis records; an aggregated one counts once.
    pub(crate) records: Count,
    /// The size of their data and partition keys.
    pub(crate) bytes: Count,
    /// The records that were already in memory.
    pub(crate) buffered_records: Count,
    /// GetRecords that were sent.
    pub(crate) calls: Count,
    /// Requests that were throttled.
    pub(crate) throttles: Count,
    /// Requests that failed for other reasons and were retried.
    pub(crate) retries: Count,
    /// Aggregated records with an index outside their own tables; each is one row.
    pub(crate) damaged_aggregates: Count,
    /// User records that the hash filter dropped.
    pub(crate) filtered: Count,
    /// Reads that lost records: ranges that can no longer be read completely, and positions whose records
    /// have expired. A streaming query adds the losses of its batches to those that its readers found.
    pub(crate) lost_ranges: Count,
    /// The lag of the last page behind the tip.
    pub(crate) millis_behind_latest: Gauge,
}

impl ReadCounters {
    /// The counters of `partition`, registered in `metrics`.
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

    /// Counts the records of a slice.
    pub(crate) fn add_slice(&self, slice: &PageSlice) {
        self.records.add(slice.records().len());
        self.bytes.add(slice.size_bytes());
    }

    /// Adds the findings of converting a page to rows.
    pub(crate) fn add(&self, findings: Findings) {
        self.damaged_aggregates.add(findings.damaged);
        self.filtered.add(findings.filtered);
    }
}
