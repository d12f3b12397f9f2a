//! The progress event of a batch: counts, rates, durations, positions, and how far the query is behind.

mod json;
mod kinesis_metrics;
mod outputs;
mod record_ages;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::kinesis_metrics::KinesisMetrics;
pub use self::outputs::OutputProgress;
pub(in crate::query) use self::record_ages::AgeCounter;
pub use self::record_ages::RecordAges;
use crate::model::{BatchId, LatencyHistogram, Offsets, StreamName, UnixMillis};
use crate::query::cost::EstimatedCost;
use crate::query::health::QueryHealth;
use crate::state::StateFilesProgress;

/// What a batch did. Sent to listeners, and available from the handle of the query.
///
/// [`to_json`](Self::to_json) has the fields of Spark's event of the same name.
/// [`Display`](fmt::Display) is a one-line summary.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StreamingQueryProgress {
    /// The id of the query, the same after every restart.
    pub id: String,
    /// The id of this run.
    pub run_id: String,
    /// The name of the query, if it has one.
    pub name: Option<String>,
    /// When the trigger fired.
    pub timestamp: UnixMillis,
    /// The number of the batch.
    pub batch_id: BatchId,
    /// The time from the trigger to the end of the batch.
    pub batch_duration: Duration,
    /// Rows read from all sources.
    pub num_input_rows: u64,
    /// Rows read per second since the previous trigger. Not finite for the first batch.
    pub input_rows_per_second: f64,
    /// Rows read per second of the batch's duration. Not finite if the duration is zero.
    pub processed_rows_per_second: f64,
    /// The duration of each step, by Spark's names: `addBatch`, `commitOffsets`, `getBatch`,
    /// `latestOffset`, `queryPlanning`, `triggerExecution`, `walCommit`.
    pub durations: BTreeMap<&'static str, Duration>,
    /// The event times of the aggregated rows; `None` without a watermark. Of a statement set the range of all, and
    /// the watermark that is furthest behind.
    pub event_time: Option<EventTimeProgress>,
    /// The state of the GROUP BY; `None` if the statement has none. Of a statement set the sum of all.
    pub state_operator: Option<StateOperatorProgress>,
    /// The sources, in the order of the statement.
    pub sources: Vec<SourceProgress>,
    /// The sink. Of a statement set the sum of all.
    pub sink: SinkProgress,
    /// What each statement of a statement set did, in the order of the set; empty for a query of one statement.
    pub outputs: Vec<OutputProgress>,
    /// The time from the start of the batch to its end.
    pub processing_time: Duration,
    /// The time from when the batch was due to when it started.
    pub scheduling_delay: Duration,
    /// The time from when the batch was due to its end.
    pub total_delay: Duration,
    /// The health of the query after the batch.
    pub health: QueryHealth,
    /// What the query costs per hour: an estimate.
    pub estimated_cost: EstimatedCost,
}

/// What a batch read from one source.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SourceProgress {
    /// A description of the source: `Kinesis[words]`.
    pub description: String,
    /// The stream.
    pub stream: StreamName,
    /// The positions before the batch; `None` if the source has no shard yet.
    pub start_offset: Option<Arc<Offsets>>,
    /// The positions after the batch.
    pub end_offset: Option<Arc<Offsets>>,
    /// The positions up to which records have been fetched for later batches.
    pub latest_offset: Option<Arc<Offsets>>,
    /// Rows read.
    pub num_input_rows: u64,
    /// The size of the data and partition keys of the records.
    pub num_input_bytes: u64,
    /// How old the records were when the batch was committed; `None` if it had none, or read them again after a crash.
    pub record_ages: Option<RecordAges>,
    /// As for the query, but for this source.
    pub input_rows_per_second: f64,
    /// As for the query, but for this source.
    pub processed_rows_per_second: f64,
    /// What decoding payloads found; `None` if the table has no format.
    pub payload: Option<PayloadProgress>,
    /// The state of the source's readers.
    pub metrics: KinesisMetrics,
}

/// What decoding the payloads of a batch found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PayloadProgress {
    /// Documents that could not be parsed.
    pub bad_documents: u64,
    /// Documents of these that have no row: they were skipped, or written to the dead-letter stream.
    pub skipped_documents: u64,
    /// Values that did not fit their columns and became NULL.
    pub type_mismatches: u64,
}

impl PayloadProgress {
    /// Takes the counts of another scan of the same records.
    pub(in crate::query) fn include(&mut self, other: &Self) {
        self.bad_documents = self.bad_documents.max(other.bad_documents);
        self.skipped_documents = self.skipped_documents.max(other.skipped_documents);
        self.type_mismatches = self.type_mismatches.max(other.type_mismatches);
    }
}

/// The event times of the rows of a batch, and its watermark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventTimeProgress {
    /// The earliest event time; `None` if no row had one.
    pub min: Option<UnixMillis>,
    /// The latest event time.
    pub max: Option<UnixMillis>,
    /// The watermark of the batch; `None` if there is none yet.
    pub watermark: Option<UnixMillis>,
}

/// The state of a GROUP BY, and the changes that a batch made to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateOperatorProgress {
    /// Groups in the state.
    pub rows_total: u64,
    /// Groups that were added or changed.
    pub rows_updated: u64,
    /// Groups that the watermark closed.
    pub rows_removed: u64,
    /// Rows that were dropped because they were later than the watermark, or had no event time and so belong
    /// to no window.
    pub rows_dropped_by_watermark: u64,
    /// Memory used by the groups.
    pub memory_bytes: usize,
    /// The number of state partitions.
    pub partitions: usize,
    /// How long writing the changes took.
    pub commit_time: Duration,
    /// The files that hold the state; `None` if it is in memory only.
    pub files: Option<StateFilesProgress>,
}

/// What a batch wrote to the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkProgress {
    /// A description of the sink, such as `KinesisSink[word_counts]`.
    pub description: String,
    /// Rows written; `None` if unknown.
    pub num_output_rows: Option<u64>,
    /// How they were written, if the sink is a Kinesis stream.
    pub metrics: Option<KinesisSinkMetrics>,
}

/// What a batch wrote to a Kinesis stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KinesisSinkMetrics {
    /// Rows that were acknowledged.
    pub rows: u64,
    /// Kinesis records that were acknowledged. Fewer than rows, if rows are aggregated.
    pub records: u64,
    /// Bytes that were acknowledged: data and partition keys.
    pub bytes: u64,
    /// PutRecords calls.
    pub calls: u64,
    /// Kinesis records that were throttled.
    pub throttled_records: u64,
    /// Kinesis records that were sent again, for any reason.
    pub resent_records: u64,
    /// PUT payload units, which provisioned streams bill: 25 KB, or a part of it, of each acknowledged record.
    pub put_payload_units: u64,
    /// Kilobytes, or a part of one, of each acknowledged record, which on-demand streams bill.
    pub put_kilobytes: u64,
    /// How long PutRecords calls took, since the table was created.
    pub put_latency: LatencyHistogram,
}

impl StreamingQueryProgress {
    /// One JSON object with Spark's fields in Spark's order, followed by `processingTime`, `schedulingDelay`
    /// and `totalDelay` in milliseconds, and by `health` and `estimatedCostPerHour`. Numbers that are not finite and
    /// empty maps are left out. A statement set has an entry of `stateOperators` for each GROUP BY, with its `output`,
    /// and `outputs` after `sink`.
    pub fn to_json(&self) -> String {
        json::progress(self)
    }

    /// The sink of each statement.
    pub(in crate::query) fn sinks(&self) -> Vec<&SinkProgress> {
        match self.outputs.as_slice() {
            [] => vec![&self.sink],
            outputs => outputs.iter().map(|output| &output.sink).collect(),
        }
    }

    /// The number of shard positions in this event.
    pub(in crate::query) fn positions(&self) -> usize {
        let offsets = |source: &SourceProgress| {
            let (start, end) = (&source.start_offset, &source.end_offset);
            let all = [start, end, &source.latest_offset].into_iter().flatten();
            all.map(|offsets| offsets.len()).sum::<usize>()
        };
        self.sources.iter().map(offsets).sum()
    }

    /// The maximum lag over all sources.
    fn behind_latest(&self) -> Option<Duration> {
        let sources = self.sources.iter();
        sources
            .filter_map(|source| source.metrics.max_behind_latest)
            .max()
    }
}

/// `batch 12: 1,234 rows in 35 ms, 35,257 rows/s, 0 ms behind`, with `, 90 groups, 3 late` for a GROUP BY
/// that dropped late rows, and `, 2 data losses` if there were any since the query started.
impl fmt::Display for StreamingQueryProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.num_input_rows;
        write!(
            f,
            "batch {}: {} {} in {} ms",
            self.batch_id,
            with_commas(u128::from(rows)),
            if rows == 1 { "row" } else { "rows" },
            with_commas(self.batch_duration.as_millis())
        )?;
        if self.processed_rows_per_second.is_finite() && rows > 0 {
            let rate = self.processed_rows_per_second.round() as u128;
            write!(f, ", {} rows/s", with_commas(rate))?;
        }
        if let Some(behind) = self.behind_latest() {
            write!(f, ", {} ms behind", with_commas(behind.as_millis()))?;
        }
        if let Some(state) = &self.state_operator {
            write!(f, ", {} groups", with_commas(u128::from(state.rows_total)))?;
            match state.rows_dropped_by_watermark {
                0 => {}
                late => write!(f, ", {} late", with_commas(u128::from(late)))?,
            }
        }
        let losses = self.sources.iter().map(|source| source.metrics.losses);
        match losses.sum() {
            0_u64 => Ok(()),
            losses => write!(f, ", {}", data_losses(losses)),
        }
    }
}

/// Rows per second over `span`. Not a number without a span, infinite if it is zero.
pub(in crate::query) fn rate(rows: u64, span: Option<Duration>) -> f64 {
    match span {
        Some(span) => rows as f64 / span.as_secs_f64(),
        None => f64::NAN,
    }
}

/// `1 data loss`, `2 data losses`.
pub(in crate::query) fn data_losses(count: u64) -> String {
    let words = if count == 1 {
        "data loss"
    } else {
        "data losses"
    };
    format!("{} {words}", with_commas(u128::from(count)))
}

/// A number with commas between groups of three digits.
fn with_commas(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub(in crate::query) mod tests;
