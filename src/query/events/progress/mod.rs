//! What a batch did, and how far the query is behind.

mod json;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{BatchId, Offsets, UnixMillis};

/// What a batch did, or that there was none: told to listeners, and kept by the query.
///
/// [`to_json`](Self::to_json) has the fields of Spark's event of the same name;
/// [`Display`](fmt::Display) gives one line.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StreamingQueryProgress {
    /// The query, the same after a restart.
    pub id: String,
    /// This start of it.
    pub run_id: String,
    /// Its name, where it was given one.
    pub name: Option<String>,
    /// When the trigger fired.
    pub timestamp: UnixMillis,
    /// The batch.
    pub batch_id: BatchId,
    /// From the trigger to the end of the batch.
    pub batch_duration: Duration,
    /// Rows read from all sources.
    pub num_input_rows: u64,
    /// Rows read over the time since the trigger before; not finite where there was none.
    pub input_rows_per_second: f64,
    /// Rows read over the time the batch took; not finite where it took none.
    pub processed_rows_per_second: f64,
    /// What each step took, by Spark's names: `addBatch`, `commitOffsets`, `getBatch`,
    /// `latestOffset`, `queryPlanning`, `triggerExecution`, `walCommit`.
    pub durations: BTreeMap<&'static str, Duration>,
    /// The times of the rows that were aggregated; `None` without a watermark.
    pub event_time: Option<EventTimeProgress>,
    /// The state of GROUP BY; `None` where the statement has none.
    pub state_operator: Option<StateOperatorProgress>,
    /// The sources, in the order of the statement.
    pub sources: Vec<SourceProgress>,
    /// Where the rows went.
    pub sink: SinkProgress,
    /// From the start of the batch to its end.
    pub processing_time: Duration,
    /// From when the batch could have started to when it did.
    pub scheduling_delay: Duration,
    /// From when the batch could have started to its end.
    pub total_delay: Duration,
}

/// What a batch read of one source.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SourceProgress {
    /// The stream, as `Kinesis[words]`.
    pub description: String,
    /// Where the batch began; `None` where the source has no shard yet.
    pub start_offset: Option<Arc<Offsets>>,
    /// Where the batch ended.
    pub end_offset: Option<Arc<Offsets>>,
    /// What has been fetched for the batches to come.
    pub latest_offset: Option<Arc<Offsets>>,
    /// Rows read.
    pub num_input_rows: u64,
    /// As for the query.
    pub input_rows_per_second: f64,
    /// As for the query.
    pub processed_rows_per_second: f64,
    /// How its readers are.
    pub metrics: KinesisMetrics,
}

/// How the readers of a stream are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KinesisMetrics {
    /// How far the last shard is behind the tip of the stream: how old a record may be at most that no
    /// batch has taken. It is zero where each shard was read to its tip when it was last asked and no
    /// row waits in memory; a shard that waits for its parents, or that cannot be read, is as far
    /// behind as what was taken before it. `None` where there is nothing to read any more, or nothing
    /// is known of a shard that has not been asked.
    pub max_behind_latest: Option<Duration>,
    /// The mean over the shards that are not read to their end.
    pub avg_behind_latest: Option<Duration>,
    /// How far the first of these shards is behind.
    pub min_behind_latest: Option<Duration>,
    /// Shards that take records.
    pub open_shards: usize,
    /// Shards that were closed and are still read.
    pub draining_shards: usize,
    /// What is held in memory for the batches to come.
    pub prefetched_bytes: usize,
    /// Calls the service throttled, since the query started.
    pub throttled_calls: u64,
    /// Shard iterators that had expired and were made anew, since the query started.
    pub iterator_renewals: u64,
    /// Calls that failed and were sent again, since the query started.
    pub retries: u64,
    /// Losses of data that were found since the query started: each is a shard, a range or a stream
    /// of which records that were to be read are gone, and is logged as a warning with what is known.
    pub losses: u64,
}

/// When the rows of a batch happened, and which times are closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventTimeProgress {
    /// The first row; `None` where no row said when it happened.
    pub min: Option<UnixMillis>,
    /// The last row.
    pub max: Option<UnixMillis>,
    /// The watermark the batch was run with; `None` where there was none yet.
    pub watermark: Option<UnixMillis>,
}

/// What a batch did to the state of GROUP BY, and what there is of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateOperatorProgress {
    /// Groups that are held.
    pub rows_total: u64,
    /// Groups that were made or changed.
    pub rows_updated: u64,
    /// Groups that the watermark has closed.
    pub rows_removed: u64,
    /// Rows that came too late, and rows without a time, which belong to no window; each is left out.
    pub rows_dropped_by_watermark: u64,
    /// The memory that the groups take.
    pub memory_bytes: usize,
    /// How many partitions they are dealt out to.
    pub partitions: usize,
    /// How long it took to write what has changed.
    pub commit_time: Duration,
}

/// What a batch gave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkProgress {
    /// Where the rows went, as `KinesisSink[word_counts]`.
    pub description: String,
    /// Rows given; `None` where the sink does not say.
    pub num_output_rows: Option<u64>,
}

impl StreamingQueryProgress {
    /// One JSON object in Spark's field names and order, then `processingTime`, `schedulingDelay` and
    /// `totalDelay` in milliseconds. What is not a finite number, and maps without entries, are left
    /// out.
    pub fn to_json(&self) -> String {
        json::progress(self)
    }

    /// How many shard positions it holds.
    pub(in crate::query) fn positions(&self) -> usize {
        let offsets = |source: &SourceProgress| {
            let (start, end) = (&source.start_offset, &source.end_offset);
            let all = [start, end, &source.latest_offset].into_iter().flatten();
            all.map(|offsets| offsets.len()).sum::<usize>()
        };
        self.sources.iter().map(offsets).sum()
    }

    /// How far the last shard of all sources is behind.
    fn behind_latest(&self) -> Option<Duration> {
        let sources = self.sources.iter();
        sources
            .filter_map(|source| source.metrics.max_behind_latest)
            .max()
    }
}

/// `batch 12: 1,234 rows in 35 ms, 35,257 rows/s, 0 ms behind`; `, 90 groups, 3 late` where there is a GROUP
/// BY and rows came too late; and `, 2 data losses` where there were some since the query started.
impl fmt::Display for StreamingQueryProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.num_input_rows;
        write!(
            f,
            "batch {}: {} {} in {} ms",
            self.batch_id,
            grouped(u128::from(rows)),
            if rows == 1 { "row" } else { "rows" },
            grouped(self.batch_duration.as_millis())
        )?;
        if self.processed_rows_per_second.is_finite() && rows > 0 {
            let rate = self.processed_rows_per_second.round() as u128;
            write!(f, ", {} rows/s", grouped(rate))?;
        }
        if let Some(behind) = self.behind_latest() {
            write!(f, ", {} ms behind", grouped(behind.as_millis()))?;
        }
        if let Some(state) = &self.state_operator {
            write!(f, ", {} groups", grouped(u128::from(state.rows_total)))?;
            match state.rows_dropped_by_watermark {
                0 => {}
                late => write!(f, ", {} late", grouped(u128::from(late)))?,
            }
        }
        let losses = self.sources.iter().map(|source| source.metrics.losses);
        match losses.sum() {
            0_u64 => Ok(()),
            losses => write!(f, ", {}", data_losses(losses)),
        }
    }
}

/// Rows per second over `span`; not a number without one, infinite where it is zero.
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
    format!("{} {words}", grouped(u128::from(count)))
}

/// Digits with a comma before each three.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub(in crate::query) mod tests;
