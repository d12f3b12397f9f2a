//! The state of a query's operators.

use serde::Serialize;

use super::mask::Mask;
use super::millis;
use crate::query::{
    ObservedQuery, StateFilesProgress, StateOperatorProgress, StateSample, StreamingQueryProgress,
};

/// Locations of logs that `read_state` cannot read in another process.
const ELSEWHERE: [&str; 2] = ["memory:", "dynamodb:"];

/// The state of a query after its newest batch; the names of the fields are those of the API.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct StateView {
    /// `None` if this run has committed no batch.
    pub(in crate::monitor) batch_id: Option<u64>,
    /// Empty if the statement has no GROUP BY.
    pub(in crate::monitor) operators: Vec<OperatorView>,
    /// The statement that returns groups; `None` if no other statement can read them.
    pub(in crate::monitor) read_state: Option<String>,
}

/// A stateful operator.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct OperatorView {
    pub(in crate::monitor) name: &'static str,
    /// The statement of a statement set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::monitor) output: Option<String>,
    pub(in crate::monitor) num_rows_total: u64,
    pub(in crate::monitor) num_rows_updated: u64,
    pub(in crate::monitor) num_rows_removed: u64,
    pub(in crate::monitor) num_rows_dropped_by_watermark: u64,
    pub(in crate::monitor) memory_used_bytes: usize,
    pub(in crate::monitor) num_partitions: usize,
    pub(in crate::monitor) commit_time_ms: u64,
    /// `None` if the state is in memory only.
    pub(in crate::monitor) files: Option<FilesView>,
    /// `None` until there is one.
    pub(in crate::monitor) sample: Option<SampleView>,
}

/// The files that hold a state.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct FilesView {
    pub(in crate::monitor) snapshot_batch_id: Option<u64>,
    pub(in crate::monitor) snapshot_files: usize,
    pub(in crate::monitor) snapshot_bytes: usize,
    pub(in crate::monitor) delta_files: usize,
    pub(in crate::monitor) delta_bytes: usize,
}

/// Some groups.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct SampleView {
    pub(in crate::monitor) batch_id: u64,
    pub(in crate::monitor) columns: Vec<ColumnView>,
    /// The values of each group in these columns.
    pub(in crate::monitor) groups: Vec<Vec<Option<String>>>,
}

/// A column of a state.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct ColumnView {
    pub(in crate::monitor) name: String,
    /// Whether it is a group column.
    pub(in crate::monitor) is_key: bool,
}

impl StateView {
    pub(in crate::monitor) fn of(run: &ObservedQuery, mask: &Mask) -> Self {
        let last = run.last_progress();
        let operators = last
            .as_ref()
            .map(|last| operators(last))
            .unwrap_or_default();
        if operators.is_empty() {
            // Also before the first commit, so that groups are shown right after it.
            run.want_state_samples();
        }
        let checkpoint = mask.text(&run.description().checkpoint_location);
        let mut stored = operators.iter();
        let has_files = stored.any(|(_, operator)| operator.files.is_some());
        let mut elsewhere = ELSEWHERE.iter();
        let is_readable = has_files && !elsewhere.any(|scheme| checkpoint.starts_with(scheme));
        Self {
            batch_id: last.as_ref().map(|last| last.batch_id.0),
            read_state: is_readable.then(|| {
                let first = operators.first().and_then(|(output, _)| *output);
                read_state(&checkpoint, first)
            }),
            operators: operators
                .into_iter()
                .map(|(output, operator)| {
                    let sample = run.state_sample(output);
                    let sample = sample.map(|sample| SampleView::of(&sample, mask));
                    OperatorView::of(output, operator, sample)
                })
                .collect(),
        }
    }
}

/// The stateful operators of a batch, each with its statement in a statement set.
fn operators(batch: &StreamingQueryProgress) -> Vec<(Option<&str>, &StateOperatorProgress)> {
    let of_set = batch.outputs.iter().filter_map(|output| {
        let state = output.state_operator.as_ref()?;
        Some((Some(output.name.as_str()), state))
    });
    match batch.outputs.is_empty() {
        true => batch
            .state_operator
            .iter()
            .map(|state| (None, state))
            .collect(),
        false => of_set.collect(),
    }
}

/// The statement that reads the state at a checkpoint.
fn read_state(checkpoint: &str, output: Option<&str>) -> String {
    let arguments = [Some(checkpoint), output].into_iter().flatten();
    let arguments = arguments.map(|argument| format!("'{}'", argument.replace('\'', "''")));
    let arguments = arguments.collect::<Vec<_>>().join(", ");
    format!("SELECT * FROM read_state({arguments}) LIMIT 100;")
}

impl OperatorView {
    fn of(output: Option<&str>, state: &StateOperatorProgress, sample: Option<SampleView>) -> Self {
        Self {
            name: "aggregation",
            output: output.map(str::to_owned),
            num_rows_total: state.rows_total,
            num_rows_updated: state.rows_updated,
            num_rows_removed: state.rows_removed,
            num_rows_dropped_by_watermark: state.rows_dropped_by_watermark,
            memory_used_bytes: state.memory_bytes,
            num_partitions: state.partitions,
            commit_time_ms: millis(state.commit_time),
            files: state.files.as_ref().map(FilesView::of),
            sample,
        }
    }
}

impl FilesView {
    fn of(files: &StateFilesProgress) -> Self {
        Self {
            snapshot_batch_id: files.snapshot_batch.map(|batch| batch.0),
            snapshot_files: files.snapshot_files,
            snapshot_bytes: files.snapshot_bytes,
            delta_files: files.delta_files,
            delta_bytes: files.delta_bytes,
        }
    }
}

impl SampleView {
    fn of(sample: &StateSample, mask: &Mask) -> Self {
        let columns = sample.columns.iter().enumerate();
        let columns = columns.map(|(index, name)| ColumnView {
            name: mask.text(name),
            is_key: index < sample.key_columns,
        });
        let shown = |value: &Option<String>| value.as_ref().map(|value| mask.start_of_text(value));
        let groups = sample.groups.iter();
        Self {
            batch_id: sample.batch.0,
            columns: columns.collect(),
            groups: groups
                .map(|group| group.iter().map(shown).collect())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_location_does_not_end_the_text() {
        assert_eq!(
            read_state("file:///it's", None),
            "SELECT * FROM read_state('file:///it''s') LIMIT 100;"
        );
        assert_eq!(
            read_state("/a", Some("counts")),
            "SELECT * FROM read_state('/a', 'counts') LIMIT 100;"
        );
    }
}
