//! Finds the record columns that the readers of a query have to fetch.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::logical_plan::TableScan;

use super::{PlanSource, with_tables};
use crate::kinesis::RecordColumns;

/// Sets the columns of `sources`, and returns the plan that determines them: the optimized plan of a batch
/// without rows.
///
/// The plan is optimized without a time, because a condition on `now()` that is false today may be true for
/// a later batch.
pub(super) fn find(
    state: &SessionState,
    plan: &LogicalPlan,
    sources: &mut [PlanSource],
) -> DataFusionResult<LogicalPlan> {
    let table = |source: &PlanSource| {
        Arc::new(source.batch_table(Arc::default())) as Arc<dyn TableProvider>
    };
    let tables: Vec<_> = sources.iter().map(table).collect();
    let plan = with_tables(plan.clone(), sources, &tables)?;
    let mut state = state.clone();
    state.execution_props_mut().query_execution_start_time = None;
    let optimized = state.optimize(&plan)?;
    for source in &mut *sources {
        source.columns = RecordColumns::DATA_ONLY;
    }
    optimized.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(index) = tables
                .iter()
                .position(|table| Arc::ptr_eq(table, &provider))
        {
            add(&mut sources[index], scan);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(optimized)
}

/// Adds the columns that `scan` reads.
fn add(source: &mut PlanSource, scan: &TableScan) {
    let names = scan
        .projected_schema
        .fields()
        .iter()
        .map(|field| field.name());
    let read = source.table().page_columns(names);
    source.columns = source.columns.union(read);
}
