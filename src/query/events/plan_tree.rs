//! The plan of a batch with its metrics, as a tree that outlives the plan.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;

use crate::model::BatchId;

/// How many plans are kept.
const KEPT_PLANS: usize = 100;

/// The longest description of a node. That of a node with thousands of partitions would be longer.
const MAX_DETAILS_CHARS: usize = 500;

/// A node of the plan of a batch, and what it did.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PlanNode {
    /// The name of the operator, such as `AggregateExec`.
    pub name: String,
    /// The operator as EXPLAIN shows it, cut off if it is long.
    pub details: String,
    /// The rows that it produced, over all partitions.
    pub output_rows: Option<u64>,
    /// The time that it computed, over all partitions.
    pub elapsed_compute: Option<Duration>,
    /// All its metrics, added up over the partitions: names and values as EXPLAIN ANALYZE shows them.
    pub metrics: Vec<(String, String)>,
    /// Its inputs.
    pub children: Vec<Self>,
}

impl PlanNode {
    /// The plans of the outputs of a batch, each with its name: of a statement set below a node of their own.
    pub(super) fn of_batch(plans: &[(Option<&str>, &dyn ExecutionPlan)]) -> Self {
        if let [(None, plan)] = plans {
            return Self::of(*plan);
        }
        let outputs = plans.iter().map(|(name, plan)| Self {
            name: "Output".to_owned(),
            details: format!("Output: {}", name.unwrap_or_default()),
            children: vec![Self::of(*plan)],
            ..Self::default()
        });
        Self {
            name: "StatementSet".to_owned(),
            details: "StatementSet: its outputs ran at the same time".to_owned(),
            children: outputs.collect(),
            ..Self::default()
        }
    }

    pub(super) fn of(plan: &dyn ExecutionPlan) -> Self {
        let metrics = plan.metrics();
        let metrics = metrics.map(|metrics| metrics.aggregate_by_name().sorted_for_display());
        let rows = metrics.as_ref().and_then(|metrics| metrics.output_rows());
        let elapsed = metrics
            .as_ref()
            .and_then(|metrics| metrics.elapsed_compute());
        let shown = metrics.iter().flat_map(|metrics| metrics.iter());
        let shown = shown.map(|metric| {
            let value = metric.value();
            (value.name().to_owned(), value.to_string())
        });
        let details = DisplayableExecutionPlan::new(plan).one_line().to_string();
        let details: String = details.trim_end().chars().take(MAX_DETAILS_CHARS).collect();
        let children = plan.children().into_iter();
        Self {
            name: plan.name().to_owned(),
            details,
            output_rows: rows.map(|rows| rows as u64),
            elapsed_compute: elapsed.map(|nanos| Duration::from_nanos(nanos as u64)),
            metrics: shown.collect(),
            children: children.map(|child| Self::of(child.as_ref())).collect(),
        }
    }
}

/// The plans of the newest batches.
#[derive(Debug, Default)]
pub(super) struct RecentPlans(VecDeque<(BatchId, Arc<PlanNode>)>);

impl RecentPlans {
    pub(super) fn push(&mut self, batch: BatchId, plan: PlanNode) {
        if self.0.len() == KEPT_PLANS {
            self.0.pop_front();
        }
        self.0.push_back((batch, Arc::new(plan)));
    }

    pub(super) fn get(&self, batch: BatchId) -> Option<Arc<PlanNode>> {
        // A batch that was run again has the plan of its last run.
        let mut plans = self.0.iter().rev();
        let found = plans.find(|(id, _)| *id == batch);
        found.map(|(_, plan)| Arc::clone(plan))
    }
}
