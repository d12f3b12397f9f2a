//! Measures a batch while it runs, and builds its progress event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::Array;
use tokio::time::Instant;

use super::member::MemberExecutor;
use super::planned::PlannedBatch;
use crate::model::{Offsets, StreamRanges, UnixMillis};
use crate::query::cost::EstimatedCost;
use crate::query::events::{
    AgeCounter, EventTimeProgress, KinesisMetrics, OutputProgress, QueryRun, RecordAges,
    SinkProgress, SourceProgress, StateOperatorProgress, StreamingQueryProgress, rate,
};
use crate::query::health::QueryHealth;
use crate::query::output::{BatchResult, SourceCounts};
use crate::query::plan::QuerySource;
use crate::query::sources::Sources;
use crate::source::BatchReads;
use crate::source::streaming::ReaderStatus;

/// The durations and counts of a batch.
#[derive(Debug)]
pub(super) struct BatchMetrics {
    lap_start: Instant,
    durations: BTreeMap<&'static str, Duration>,
    sources: Vec<SourceCounts>,
    /// What each statement of the query did.
    outputs: Vec<OutputProgress>,
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
            outputs: Vec::new(),
        }
    }

    /// Records the time since the last call as the duration of `step`, a name from Spark's progress
    /// event.
    pub(super) fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        self.durations.insert(step, now - self.lap_start);
        self.lap_start = now;
    }

    /// Records the results of the plans of all members, which ran at the same time.
    pub(super) fn ran(&mut self, members: &[MemberExecutor], results: Vec<BatchResult>) {
        let (mut planning, mut running) = (Duration::ZERO, Duration::ZERO);
        for (executor, result) in members.iter().zip(results) {
            planning = planning.max(result.planning);
            running = running.max(result.running);
            let member = &executor.member;
            for (index, counts) in member.source_indices().iter().zip(&result.sources) {
                self.sources[*index].include(counts);
            }
            self.outputs.push(OutputProgress {
                name: member.name.clone().unwrap_or_default(),
                sink: SinkProgress {
                    description: executor.sink(),
                    num_output_rows: result.output_rows,
                    metrics: result.written,
                },
                event_time: None,
                state_operator: None,
            });
        }
        self.durations.insert("queryPlanning", planning);
        self.durations.insert("addBatch", running);
        self.lap_start = Instant::now();
    }

    /// For each source the number of ranges that could no longer be read completely.
    pub(super) fn lost_ranges(&self) -> impl Iterator<Item = u64> {
        self.sources.iter().map(|counts| counts.lost_ranges)
    }

    /// Records the changes of the state of member `index`, and its event times.
    pub(super) fn saved(
        &mut self,
        index: usize,
        operator: StateOperatorProgress,
        event_time: Option<EventTimeProgress>,
    ) {
        if let Some(output) = self.outputs.get_mut(index) {
            output.state_operator = Some(operator);
            output.event_time = event_time;
        }
    }

    /// The progress event of the committed batch.
    pub(super) fn into_progress(
        mut self,
        planned: &PlannedBatch,
        sources: &Sources,
        run: &QueryRun,
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
        let all = OutputProgress::total(&self.outputs);
        // A query of one statement is its own total.
        let is_set = self.outputs.iter().any(|output| !output.name.is_empty());
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
            event_time: all.event_time,
            state_operator: all.state_operator,
            sink: all.sink,
            outputs: match is_set {
                true => self.outputs,
                false => Vec::new(),
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
    source: &QuerySource,
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
