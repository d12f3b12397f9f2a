//! Finds the unbounded tables of a plan.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::SessionContext;

use super::PlanSource;
use crate::error::Result;
use crate::error::from_datafusion;
use crate::kinesis::RecordColumns;
use crate::sql::{is_statement_set, logical_plan};
use crate::table::KinesisTable;

/// Whether running a statement reads a table that was created with `CREATE UNBOUNDED EXTERNAL TABLE`. Such
/// a statement needs a [`StreamingQuery`](crate::query::StreamingQuery) instead of [`sql`](fn@crate::sql).
///
/// A statement set is always one. EXPLAIN, CREATE VIEW and similar statements mention a table without reading it.
///
/// # Errors
/// Errors of planning the statement.
pub async fn is_streaming(ctx: &SessionContext, sql: &str) -> Result<bool> {
    if is_statement_set(sql) {
        return Ok(true);
    }
    let plan = logical_plan(ctx, sql).await.map_err(from_datafusion)?;
    streams(&plan).map_err(from_datafusion)
}

/// Whether running `plan` reads an unbounded table.
pub(super) fn streams(plan: &LogicalPlan) -> DataFusionResult<bool> {
    let reads = match plan {
        LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Statement(_) => false,
        LogicalPlan::Ddl(ddl) => matches!(ddl, DdlStatement::CreateMemoryTable(_)),
        _ => true,
    };
    Ok(reads && stream_in(plan)?.is_some())
}

/// The unbounded table that `node` itself scans.
pub(super) fn unbounded(node: &LogicalPlan) -> Option<Arc<dyn TableProvider>> {
    let LogicalPlan::TableScan(scan) = node else {
        return None;
    };
    let provider = source_as_provider(&scan.source).ok()?;
    let unbounded = provider.downcast_ref::<KinesisTable>()?.is_unbounded();
    unbounded.then_some(provider)
}

/// The name of the first unbounded table that `plan` scans, including its subqueries.
pub(super) fn stream_in(plan: &LogicalPlan) -> DataFusionResult<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| match (node, unbounded(node)) {
        (LogicalPlan::TableScan(scan), Some(_)) => {
            found = Some(scan.table_name.to_string());
            Ok(TreeNodeRecursion::Stop)
        }
        _ => Ok(TreeNodeRecursion::Continue),
    })?;
    Ok(found)
}

/// All unbounded tables that `plan` scans, without duplicates.
pub(super) fn find(plan: &LogicalPlan) -> DataFusionResult<Vec<PlanSource>> {
    let mut sources: Vec<PlanSource> = Vec::new();
    plan.apply_with_subqueries(|node| {
        let known = |found: &Arc<dyn TableProvider>| {
            let mut known = sources.iter();
            known.any(|source| Arc::ptr_eq(&source.provider, found))
        };
        if let LogicalPlan::TableScan(scan) = node
            && let Some(provider) = unbounded(node).filter(|found| !known(found))
        {
            sources.push(PlanSource {
                name: scan.table_name.to_string(),
                scanned: Arc::clone(&provider),
                numbered: false,
                writes_dead_letters: true,
                provider,
                columns: RecordColumns::ALL,
            });
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(sources)
}
