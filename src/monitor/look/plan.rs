//! The plan of a batch.

use serde::Serialize;

use super::mask::Mask;
use crate::query::PlanNode;

/// A node of a plan and what it did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::monitor) struct PlanView {
    pub(in crate::monitor) name: String,
    pub(in crate::monitor) details: String,
    pub(in crate::monitor) output_rows: Option<u64>,
    pub(in crate::monitor) elapsed_compute_ms: Option<f64>,
    pub(in crate::monitor) metrics: Vec<Metric>,
    pub(in crate::monitor) children: Vec<Self>,
}

/// A number of a node, as EXPLAIN ANALYZE shows it.
#[derive(Debug, Serialize)]
pub(in crate::monitor) struct Metric {
    pub(in crate::monitor) name: String,
    pub(in crate::monitor) value: String,
}

impl PlanView {
    pub(super) fn of(node: &PlanNode, mask: &Mask) -> Self {
        let metrics = node.metrics.iter().map(|(name, value)| Metric {
            name: name.clone(),
            value: mask.text(value),
        });
        Self {
            name: node.name.clone(),
            details: mask.text(&node.details),
            output_rows: node.output_rows,
            elapsed_compute_ms: node
                .elapsed_compute
                .map(|time| time.as_secs_f64() * 1_000.0),
            metrics: metrics.collect(),
            children: node
                .children
                .iter()
                .map(|child| Self::of(child, mask))
                .collect(),
        }
    }

    /// The longest time of a node in this tree, in milliseconds.
    pub(in crate::monitor) fn longest_ms(&self) -> f64 {
        let own = self.elapsed_compute_ms.unwrap_or(0.0);
        let children = self.children.iter().map(Self::longest_ms);
        children.fold(own, f64::max)
    }
}
