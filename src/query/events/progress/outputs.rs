//! What each statement of a statement set did in a batch, and the total of them.

use super::{EventTimeProgress, KinesisSinkMetrics, SinkProgress, StateOperatorProgress};
use crate::state::StateFilesProgress;

/// What a statement of a statement set did in a batch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OutputProgress {
    /// The name of the statement in the set: that of its target table, with a number if several have the same one.
    pub name: String,
    /// What it wrote.
    pub sink: SinkProgress,
    /// The event times of its rows; `None` without a watermark.
    pub event_time: Option<EventTimeProgress>,
    /// The state of its GROUP BY; `None` if it has none.
    pub state_operator: Option<StateOperatorProgress>,
}

impl OutputProgress {
    /// The total of all outputs: sums of what they wrote and of their states, the range of their event times, and the
    /// watermark that is furthest behind.
    pub(in crate::query) fn total(outputs: &[Self]) -> Self {
        let sinks = outputs.iter().map(|output| &output.sink);
        let times = outputs
            .iter()
            .filter_map(|output| output.event_time.as_ref());
        let states = outputs
            .iter()
            .filter_map(|output| output.state_operator.as_ref());
        Self {
            name: String::new(),
            sink: sink(&sinks.collect::<Vec<_>>()),
            event_time: times.cloned().reduce(|one, other| both_times(&one, &other)),
            state_operator: states.cloned().reduce(both_states),
        }
    }
}

fn sink(sinks: &[&SinkProgress]) -> SinkProgress {
    let descriptions = sinks.iter().map(|sink| sink.description.as_str());
    let metrics = sinks.iter().filter_map(|sink| sink.metrics.as_ref());
    SinkProgress {
        description: descriptions.collect::<Vec<_>>().join(", "),
        num_output_rows: sinks.iter().map(|sink| sink.num_output_rows).sum(),
        metrics: metrics.cloned().reduce(|one, other| KinesisSinkMetrics {
            rows: one.rows + other.rows,
            records: one.records + other.records,
            bytes: one.bytes + other.bytes,
            calls: one.calls + other.calls,
            throttled_records: one.throttled_records + other.throttled_records,
            resent_records: one.resent_records + other.resent_records,
            put_payload_units: one.put_payload_units + other.put_payload_units,
            put_kilobytes: one.put_kilobytes + other.put_kilobytes,
            put_latency: one.put_latency.plus(&other.put_latency),
        }),
    }
}

fn both_times(one: &EventTimeProgress, other: &EventTimeProgress) -> EventTimeProgress {
    EventTimeProgress {
        min: [one.min, other.min].into_iter().flatten().min(),
        max: one.max.max(other.max),
        // None, if one has none yet, is less than any.
        watermark: one.watermark.min(other.watermark),
    }
}

fn both_states(one: StateOperatorProgress, other: StateOperatorProgress) -> StateOperatorProgress {
    StateOperatorProgress {
        rows_total: one.rows_total + other.rows_total,
        rows_updated: one.rows_updated + other.rows_updated,
        rows_removed: one.rows_removed + other.rows_removed,
        rows_dropped_by_watermark: one.rows_dropped_by_watermark + other.rows_dropped_by_watermark,
        memory_bytes: one.memory_bytes + other.memory_bytes,
        partitions: one.partitions + other.partitions,
        commit_time: one.commit_time + other.commit_time,
        files: match (one.files, other.files) {
            (Some(one), Some(other)) => Some(StateFilesProgress {
                // The oldest one: a restart reads the changes since then.
                snapshot_batch: one.snapshot_batch.min(other.snapshot_batch),
                snapshot_files: one.snapshot_files + other.snapshot_files,
                snapshot_bytes: one.snapshot_bytes + other.snapshot_bytes,
                delta_files: one.delta_files + other.delta_files,
                delta_bytes: one.delta_bytes + other.delta_bytes,
            }),
            (one, other) => one.or(other),
        },
    }
}
