//! Measures a batch while it runs, and builds its progress event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::Array;
use tokio::time::Instant;

use super::planned::PlannedBatch;
use crate::model::{Offsets, StreamRanges, UnixMillis};
use crate::query::cost::EstimatedCost;
use crate::query::events::{
    AgeCounter, EventTimeProgress, KinesisMetrics, KinesisSinkMetrics, QueryRun, RecordAges,
    SinkProgress, SourceProgress, StateOperatorProgress, StreamingQueryProgress, rate,
};
use crate::query::health::QueryHealth;
use crate::query::output::{BatchResult, SourceCounts};
use crate::query::plan::PlanSource;
use crate::query::sources::Sources;
use crate::source::BatchReads;
use crate::source::streaming::ReaderStatus;

/// The durations and counts of a batch.
#[derive(Debug)]
pub(super) struct BatchMetrics {
    lap_start: Instant,
    durations: BTreeMap<&'static str, Duration>,
    sources: Vec<SourceCounts>,
    output_rows: Option<u64>,
    written: Option<KinesisSinkMetrics>,
    event_time: Option<EventTimeProgress>,
    state_operator: Option<StateOperatorProgress>,
}

/// The time spans that rates are calculated over.
#[derive(Debug, Clone, Copy)]
struct Spans {
    /// Since the previous trigger.
    input: Option<Duration>,
    processing: Option<Duration>,
}

/// Times around a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgressTimes {
    /// When the trigger fired for the previous batch.
    pub(super) previous_trigger: Option<UnixMillis>,
    /// When the batch was committed.
    pub(super) committed: UnixMillis,
}

impl BatchMetrics {
    /// The metrics of `planned`, measured from the start of its planning.
    pub(super) fn new(planned: &PlannedBatch) -> Self {
        Self {
            lap_start: planned.fired_at,
            durations: BTreeMap::new(),
            sources: vec![SourceCounts::default(); planned.reads.len()],
            output_rows: None,
            written: None,
            event_time: None,
            state_operator: None,
        }
    }

    /// Records the time since the last call as the duration of `step`, a name from Spark's progress
    /// event.
    pub(super) fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        self.durations.insert(step, now - self.lap_start);
        self.lap_start = now;
    }

    /// Records the result of the plan.
    pub(super) fn ran(&mut self, result: BatchResult) {
        self.durations.insert("queryPlanning", result.planning);
        self.durations.insert("addBatch", result.running);
        self.sources = result.sources;
        self.output_rows = result.output_rows;
        self.written = result.written;
        self.lap_start = Instant::now();
    }

    /// Records the changes of the state and the event times.
    pub(super) fn saved(
        &mut self,
        operator: StateOperatorProgress,
        event_time: Option<EventTimeProgress>,
    ) {
        self.state_operator = Some(operator);
        self.event_time = event_time;
    }

    /// The progress event of the committed batch.
    pub(super) fn into_progress(
        mut self,
        planned: &PlannedBatch,
        sources: &Sources,
        run: &QueryRun,
        sink: String,
        times: ProgressTimes,
    ) -> StreamingQueryProgress {
        let took = planned.fired_at.elapsed();
        self.durations.insert("triggerExecution", took);
        let spans = Spans {
            input: times
                .previous_trigger
                .map(|previous| planned.fired.since(previous)),
            processing: Some(took),
        };
        let statuses = sources.statuses();
        let batch = planned.batch.sources.iter().zip(&planned.reads);
        let sources = statuses.zip(batch).zip(&self.sources);
        let sources = sources.map(|(((source, status), (ranges, reads)), counts)| {
            let mut progress = source_progress(source, status, ranges, counts, spans);
            progress.record_ages = record_ages(reads, times.committed);
            progress
        });
        let rows = self.sources.iter().map(|counts| counts.rows).sum();
        let delay = planned.fired.since(planned.due);
        StreamingQueryProgress {
            id: run.id.clone(),
            run_id: run.run_id.clone(),
            name: run.name.clone(),
            timestamp: planned.fired,
            batch_id: planned.batch.id,
            batch_duration: took,
            num_input_rows: rows,
            input_rows_per_second: rate(rows, spans.input),
            processed_rows_per_second: rate(rows, spans.processing),
            sources: sources.collect(),
            durations: self.durations,
            event_time: self.event_time,
            state_operator: self.state_operator,
            sink: SinkProgress {
                description: sink,
                num_output_rows: self.output_rows,
                metrics: self.written,
            },
            processing_time: took,
            scheduling_delay: delay,
            total_delay: delay + took,
            health: QueryHealth::default(),
            estimated_cost: EstimatedCost::default(),
        }
    }
}

fn source_progress(
    source: &PlanSource,
    status: ReaderStatus,
    ranges: &StreamRanges,
    counts: &SourceCounts,
    spans: Spans,
) -> SourceProgress {
    let rows = counts.rows;
    let starts = ranges.shards.iter();
    let starts = starts.map(|(shard, range)| (shard.clone(), range.after.clone()));
    let unless_empty = |offsets: Offsets| (!offsets.is_empty()).then(|| Arc::new(offsets));
    let metrics = KinesisMetrics::of(&status);
    let stream = source.table().options().stream.name();
    SourceProgress {
        description: format!("Kinesis[{stream}]"),
        stream: stream.clone(),
        start_offset: unless_empty(starts.collect()),
        end_offset: unless_empty(ranges.ends()),
        latest_offset: unless_empty(status.latest),
        num_input_rows: rows,
        num_input_bytes: counts.bytes,
        record_ages: None,
        input_rows_per_second: rate(rows, spans.input),
        processed_rows_per_second: rate(rows, spans.processing),
        payload: counts.payload.clone(),
        metrics,
    }
}

/// The ages at `committed` of the records that were in memory.
fn record_ages(reads: &BatchReads, committed: UnixMillis) -> Option<RecordAges> {
    let mut ages = AgeCounter::new(committed.0.saturating_mul(1_000));
    for slice in reads.buffered.values().flatten() {
        if let Some(arrivals) = slice.page.arrival()
            && arrivals.null_count() == 0
        {
            ages.add(&arrivals.values()[slice.records()]);
        }
    }
    ages.finish()
}
