//! What a batch read, from the metrics of its plan.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;

use crate::query::events::{KinesisSinkMetrics, PayloadProgress};
use crate::source::BatchReads;
use crate::table::{KinesisDecodeExec, KinesisReadExec, KinesisSinkExec};

/// What a batch read from one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::query) struct SourceCounts {
    /// Records, before payloads are decoded.
    pub(in crate::query) rows: u64,
    /// The size of the data and partition keys of these records.
    pub(in crate::query) bytes: u64,
    /// Ranges that could no longer be read completely.
    pub(in crate::query) lost_ranges: u64,
    /// What decoding found; `None` if payloads are not decoded.
    pub(in crate::query) payload: Option<PayloadProgress>,
}

impl SourceCounts {
    /// Takes the counts of another scan of the same records.
    pub(in crate::query) fn include(&mut self, other: &Self) {
        self.rows = self.rows.max(other.rows);
        self.bytes = self.bytes.max(other.bytes);
        self.lost_ranges = self.lost_ranges.max(other.lost_ranges);
        if let Some(found) = &other.payload {
            self.payload.get_or_insert_default().include(found);
        }
    }
}

/// The counts for each of `reads`. A source that is scanned several times counts once.
pub(super) fn of(plan: &dyn ExecutionPlan, reads: &[Arc<BatchReads>]) -> Vec<SourceCounts> {
    let mut sources = vec![SourceCounts::default(); reads.len()];
    // Each node with the decoding node above it, if the nodes between pass records on as they are.
    let mut nodes = vec![(plan, None)];
    while let Some((node, decoding)) = nodes.pop() {
        let decoding = match node.downcast_ref::<KinesisDecodeExec>() {
            Some(decoding) => Some(decoding),
            None => decoding,
        };
        let children = node.children().into_iter().map(|child| &**child);
        nodes.extend(children.map(|child| (child, decoding)));
        let scan = node.downcast_ref::<KinesisReadExec>();
        let Some(batch) = scan.and_then(KinesisReadExec::batch_reads) else {
            continue;
        };
        let index = reads.iter().position(|reads| Arc::ptr_eq(reads, batch));
        if let (Some(index), Some(metrics)) = (index, node.metrics()) {
            sources[index].include(&SourceCounts {
                rows: metrics.output_rows().unwrap_or(0) as u64,
                bytes: sum(&metrics, "bytes"),
                lost_ranges: sum(&metrics, "lost_ranges"),
                payload: decoding.and_then(payload),
            });
        }
    }
    sources
}

/// What the plan has written to a Kinesis stream; `None` if it writes to none. Dead letters do not count.
pub(super) fn written(plan: &dyn ExecutionPlan) -> Option<KinesisSinkMetrics> {
    let Some(sink) = plan.downcast_ref::<KinesisSinkExec>() else {
        let children = plan.children();
        return children.into_iter().find_map(|child| written(&**child));
    };
    let metrics = sink.metrics().unwrap_or_default();
    let count = |name| {
        let count = metrics.sum_by_name(name);
        count.map_or(0, |count| count.as_usize() as u64)
    };
    Some(KinesisSinkMetrics {
        rows: count("rows"),
        records: count("records"),
        bytes: count("bytes"),
        calls: count("calls"),
        throttled_records: count("throttled"),
        resent_records: count("resent"),
        put_payload_units: sink.counters().payload_units.load(Ordering::Relaxed),
        put_kilobytes: sink.counters().kilobytes.load(Ordering::Relaxed),
        put_latency: sink.status().put_latency,
    })
}

fn payload(decoding: &KinesisDecodeExec) -> Option<PayloadProgress> {
    let metrics = decoding.metrics()?;
    let count = |name| sum(&metrics, name);
    Some(PayloadProgress {
        bad_documents: count("bad_documents"),
        skipped_documents: count("skipped_documents"),
        type_mismatches: count("type_mismatches"),
    })
}

/// The sum of a count over all partitions.
fn sum(metrics: &MetricsSet, name: &str) -> u64 {
    let sum = metrics.sum_by_name(name);
    sum.map_or(0, |sum| sum.as_usize() as u64)
}
