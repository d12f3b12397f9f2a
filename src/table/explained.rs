//! How a statement over an unbounded table is explained: by the plan of its batches.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::LogicalPlan;

use super::batch_table::BatchTable;
use super::provider::KinesisTable;

/// `plan`, where it is an EXPLAIN, over batches of the unbounded tables it names, which cannot be
/// scanned themselves. Nothing of them is read.
pub(super) fn explainable(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Explain(mut explain) = plan else {
        return Ok(plan);
    };
    let explained = Arc::unwrap_or_clone(explain.plan);
    let explained = explained.transform_down_with_subqueries(|mut node| {
        let LogicalPlan::TableScan(scan) = &mut node else {
            return Ok(Transformed::no(node));
        };
        let provider = source_as_provider(&scan.source).ok();
        let table = provider.as_ref().and_then(|provider| {
            let table = provider.downcast_ref::<KinesisTable>()?;
            table.is_unbounded().then(|| BatchTable::explained(table))
        });
        let Some(table) = table else {
            return Ok(Transformed::no(node));
        };
        scan.source = provider_as_source(Arc::new(table));
        Ok(Transformed::yes(node))
    })?;
    explain.plan = Arc::new(explained.data);
    Ok(LogicalPlan::Explain(explain))
}
