//! What is told of a batch when it is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Offsets, StreamRanges};
use crate::query::batch::Job;
use crate::query::events::progress::{
    EventTimeProgress, KinesisMetrics, SinkProgress, SourceProgress, StateOperatorProgress,
    StreamingQueryProgress, rate,
};
use crate::query::output::Ran;
use crate::query::plan::PlanSource;
use crate::query::task::Runner;
use crate::source::streaming::StreamReader;

/// What a batch took, step by step, and what came out.
#[derive(Debug)]
pub(in crate::query) struct Report {
    last: Instant,
    durations: BTreeMap<&'static str, Duration>,
    input_rows: Vec<u64>,
    output_rows: Option<u64>,
    event_time: Option<EventTimeProgress>,
    state_operator: Option<StateOperatorProgress>,
}

/// The time a batch's rows are told per second of.
#[derive(Debug, Clone, Copy)]
struct Spans {
    /// Since the trigger before.
    input: Option<Duration>,
    processing: Option<Duration>,
}

impl Report {
    /// Begins to count with the planning of `job`.
    pub(in crate::query) fn begun(job: &Job) -> Self {
        Self {
            last: job.begun,
            durations: BTreeMap::new(),
            input_rows: vec![0; job.reads.len()],
            output_rows: None,
            event_time: None,
            state_operator: None,
        }
    }

    /// What was done since the last call, by the name Spark has for it.
    pub(in crate::query) fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        self.durations.insert(step, now - self.last);
        self.last = now;
    }

    /// The plan has run.
    pub(in crate::query) fn ran(&mut self, ran: Ran) {
        self.durations.insert("queryPlanning", ran.planning);
        self.durations.insert("addBatch", ran.running);
        self.input_rows = ran.input_rows;
        self.output_rows = ran.output_rows;
        self.last = Instant::now();
    }

    /// The state is written.
    pub(in crate::query) fn saved(
        &mut self,
        operator: StateOperatorProgress,
        times: Option<EventTimeProgress>,
    ) {
        self.state_operator = Some(operator);
        self.event_time = times;
    }

    /// The event of the batch, which is committed.
    pub(in crate::query) fn progress(
        mut self,
        runner: &Runner,
        readers: &[StreamReader],
        job: &Job,
    ) -> StreamingQueryProgress {
        let took = job.begun.elapsed();
        self.durations.insert("triggerExecution", took);
        let spans = Spans {
            input: runner.fired_before.map(|before| job.fired.since(before)),
            processing: Some(took),
        };
        let sources = runner.plan.sources.iter().zip(readers);
        let sources = sources.zip(&job.batch.sources).zip(&self.input_rows);
        let sources = sources.map(|(((source, reader), ranges), rows)| {
            source_progress(source, reader, ranges, *rows, spans)
        });
        let mut sources: Vec<_> = sources.collect();
        for (source, losses) in sources.iter_mut().zip(&runner.losses) {
            source.metrics.losses += losses;
        }
        let rows = self.input_rows.iter().sum();
        let delay = job.fired.since(job.due);
        StreamingQueryProgress {
            id: runner.shared.id.clone(),
            run_id: runner.shared.run_id.clone(),
            name: runner.shared.name.clone(),
            timestamp: job.fired,
            batch_id: job.batch.id,
            batch_duration: took,
            num_input_rows: rows,
            input_rows_per_second: rate(rows, spans.input),
            processed_rows_per_second: rate(rows, spans.processing),
            durations: self.durations,
            event_time: self.event_time,
            state_operator: self.state_operator,
            sources,
            sink: SinkProgress {
                description: runner.output.sink(&runner.plan),
                num_output_rows: self.output_rows,
            },
            processing_time: took,
            scheduling_delay: delay,
            total_delay: delay + took,
        }
    }
}

fn source_progress(
    source: &PlanSource,
    reader: &StreamReader,
    ranges: &StreamRanges,
    rows: u64,
    spans: Spans,
) -> SourceProgress {
    let status = reader.status();
    let starts = ranges.shards.iter();
    let starts = starts.map(|(shard, range)| (shard.clone(), range.after.clone()));
    let some = |offsets: Offsets| (!offsets.is_empty()).then(|| Arc::new(offsets));
    SourceProgress {
        description: format!("Kinesis[{}]", source.table().options().stream.name()),
        start_offset: some(starts.collect()),
        end_offset: some(ranges.ends()),
        latest_offset: some(status.latest),
        num_input_rows: rows,
        input_rows_per_second: rate(rows, spans.input),
        processed_rows_per_second: rate(rows, spans.processing),
        metrics: KinesisMetrics {
            max_behind_latest: status.max_behind_latest,
            avg_behind_latest: status.avg_behind_latest,
            min_behind_latest: status.min_behind_latest,
            open_shards: status.open_shards,
            draining_shards: status.draining_shards,
            prefetched_bytes: status.buffered_bytes,
            throttled_calls: status.throttled_calls,
            iterator_renewals: status.iterator_renewals,
            retries: status.retries,
            losses: status.losses,
        },
    }
}
