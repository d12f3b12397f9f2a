//! A query and what its newest batch did.

use serde::Serialize;

use super::health::HealthView;
use super::mask::Mask;
use super::{millis, rate, timestamp};
use crate::query::{ObservedQuery, QueryEnd};

/// Whether a query runs, or why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) enum QueryState {
    Running,
    Finished,
    Stopped,
    StopLock,
    Failed,
}

/// A table that a query reads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct ReadTable {
    pub(in crate::monitor) table: String,
    pub(in crate::monitor) stream: String,
}

/// What a query does at present, by Spark's names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct StatusView {
    pub(in crate::monitor) message: String,
    pub(in crate::monitor) is_data_available: bool,
    pub(in crate::monitor) is_trigger_active: bool,
}

/// A query; the names of its fields are those of the API.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct QueryView {
    pub(in crate::monitor) id: String,
    pub(in crate::monitor) run_id: String,
    pub(in crate::monitor) name: Option<String>,
    pub(in crate::monitor) is_active: bool,
    pub(in crate::monitor) state: QueryState,
    pub(in crate::monitor) status: StatusView,
    pub(in crate::monitor) health: HealthView,
    pub(in crate::monitor) exception: Option<String>,
    pub(in crate::monitor) statement: String,
    pub(in crate::monitor) trigger: String,
    pub(in crate::monitor) output_mode: String,
    pub(in crate::monitor) checkpoint_location: String,
    pub(in crate::monitor) sources: Vec<ReadTable>,
    pub(in crate::monitor) sink: String,
    pub(in crate::monitor) started_at: String,
    pub(in crate::monitor) ended_at: Option<String>,
    pub(in crate::monitor) run_time_ms: u64,
    pub(in crate::monitor) data_losses: u64,
    /// How often the query was restarted after failures before this run.
    pub(in crate::monitor) restarts: u32,
    /// Whether the next run continues where this one ends.
    pub(in crate::monitor) is_resumable: bool,
    /// The newest batch, and numbers of it.
    pub(in crate::monitor) batch_id: Option<u64>,
    pub(in crate::monitor) num_input_rows: Option<u64>,
    pub(in crate::monitor) input_rows_per_second: Option<f64>,
    pub(in crate::monitor) processed_rows_per_second: Option<f64>,
    pub(in crate::monitor) max_ms_behind_latest: Option<u64>,
    pub(in crate::monitor) num_state_rows: Option<u64>,
    /// In US dollars.
    pub(in crate::monitor) estimated_cost_per_hour: Option<f64>,
}

impl QueryView {
    pub(in crate::monitor) fn of(run: &ObservedQuery, mask: &Mask) -> Self {
        let description = run.description();
        let status = run.status();
        let last = run.last_progress();
        let last = last.as_deref();
        let lags = last.iter().flat_map(|last| &last.sources);
        let lag = lags.filter_map(|source| source.metrics.max_behind_latest);
        let state = last.and_then(|last| last.state_operator.as_ref());
        let sources = description.sources.iter().map(|source| ReadTable {
            table: mask.text(&source.table),
            stream: mask.text(source.stream.as_str()),
        });
        Self {
            id: run.id().to_owned(),
            run_id: run.run_id().to_owned(),
            name: run.name().map(|name| mask.text(name)),
            is_active: run.is_active(),
            state: state_of(run),
            status: StatusView {
                message: mask.text(&status.message),
                is_data_available: status.is_data_available,
                is_trigger_active: status.is_trigger_active,
            },
            health: HealthView::of(&run.health(), mask),
            exception: run.error().map(|error| mask.text(&error.to_string())),
            statement: mask.text(&description.statement),
            trigger: description.trigger.to_string(),
            output_mode: description.output_mode.to_string(),
            checkpoint_location: mask.text(&description.checkpoint_location),
            sources: sources.collect(),
            sink: mask.text(&description.sink),
            started_at: timestamp(description.started_at),
            ended_at: run.ended_at().map(timestamp),
            run_time_ms: millis(run.run_time()),
            data_losses: run.data_losses(),
            restarts: description.restarts,
            is_resumable: description.is_resumable,
            batch_id: last.map(|last| last.batch_id.0),
            num_input_rows: last.map(|last| last.num_input_rows),
            input_rows_per_second: last.and_then(|last| rate(last.input_rows_per_second)),
            processed_rows_per_second: last.and_then(|last| rate(last.processed_rows_per_second)),
            max_ms_behind_latest: lag.max().map(millis),
            num_state_rows: state.map(|state| state.rows_total),
            estimated_cost_per_hour: last.map(|last| six_decimals(last.estimated_cost.total)),
        }
    }

    /// What to call it: its name, or else its id.
    pub(in crate::monitor) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

fn six_decimals(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

fn state_of(run: &ObservedQuery) -> QueryState {
    match run.end() {
        None => QueryState::Running,
        Some(QueryEnd::Finished) => QueryState::Finished,
        Some(QueryEnd::Stopped) => QueryState::Stopped,
        Some(QueryEnd::StopLock) => QueryState::StopLock,
        Some(QueryEnd::Failed) => QueryState::Failed,
    }
}
