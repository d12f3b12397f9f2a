//! Turns the statements of a query into streaming plans: their sources, their aggregations, and the plans of each
//! batch.

mod aggregation;
mod columns;
mod definition;
mod explain;
mod query_plan;
mod refusals;
mod renaming;
mod sources;
mod statement_set;

use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;

use crate::error::from_datafusion;
use crate::error::{Error, Result};
use crate::kinesis::RecordColumns;
use crate::model::UnixMillis;
use crate::source::BatchReads;
use crate::sql::windows::expand_tumble;
use crate::sql::{StreamingSettings, Variables, check_overflow};
use crate::table::{BatchTable, InStreamingQuery, KinesisTable, expect_files, keep_rows};

pub(in crate::query) use aggregation::AggregationPlan;
pub(in crate::query) use definition::{DefinedPlan, QueryDefinition, is_plan_text};
pub(crate) use explain::explained;
pub(in crate::query) use query_plan::{Member, QueryPlan, QuerySource};
pub(in crate::query) use renaming::differ_in_aliases_only;
pub use sources::is_streaming;

/// The plan of a streaming statement, before optimization. Each batch is optimized separately, because its
/// time is a constant in the plan.
#[derive(Debug)]
pub(in crate::query) struct StreamingPlan {
    plan: LogicalPlan,
    schema: SchemaRef,
    /// The session in which batches are planned.
    pub(in crate::query) session: SessionState,
    /// Its aggregation, if it has one.
    pub(in crate::query) aggregation: Option<AggregationPlan>,
    /// The unbounded tables it reads, each once, in the order of the statement.
    pub(in crate::query) sources: Vec<PlanSource>,
}

/// An unbounded table that a statement reads.
#[derive(Debug)]
pub(in crate::query) struct PlanSource {
    /// Its name in the statement.
    name: String,
    provider: Arc<dyn TableProvider>,
    /// The table in the plan that scans of this source refer to.
    scanned: Arc<dyn TableProvider>,
    /// Whether each row carries the number of the read that it came from.
    numbered: bool,
    /// Whether documents that cannot be parsed go to its dead-letter stream.
    writes_dead_letters: bool,
    /// The union of the columns that its scans need.
    columns: RecordColumns,
}

/// The plan of one batch, and its reads of each source.
#[derive(Debug)]
pub(in crate::query) struct BatchPlan {
    pub(in crate::query) plan: LogicalPlan,
    pub(in crate::query) reads: Vec<Arc<BatchReads>>,
    /// Whether the plan has an aggregation, which needs the state even if the batch has no rows.
    pub(in crate::query) has_aggregation: bool,
}

/// The Kinesis table that a statement inserts into.
#[derive(Debug, Clone)]
pub(in crate::query) struct PlanTarget(Arc<dyn TableProvider>);

impl PlanTarget {
    pub(in crate::query) fn table(&self) -> &KinesisTable {
        let table = self.0.downcast_ref();
        table.expect("only a Kinesis table becomes a target")
    }

    /// Whether both are the same table.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PlanSource {
    fn table(&self) -> &KinesisTable {
        self.provider
            .downcast_ref()
            .expect("only Kinesis tables are found as sources")
    }

    /// A table of the rows that a batch reads from this source.
    fn batch_table(&self, reads: Arc<BatchReads>) -> BatchTable {
        let mut table = BatchTable::new(self.table(), reads);
        if self.numbered {
            table = table.with_shard_numbers();
        }
        if !self.writes_dead_letters {
            table = table.without_dead_letters();
        }
        table
    }
}

impl StreamingPlan {
    /// Analyzes `plan`.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if it is not a query, reads no stream, or would be wrong
    /// across batches; [`InvalidOption`](crate::ErrorKind::InvalidOption) if a table can only be written; errors of
    /// the optimizer.
    pub(in crate::query) fn new(
        state: &SessionState,
        plan: LogicalPlan,
        settings: &StreamingSettings,
    ) -> Result<Self> {
        let plan = expand_tumble(plan).map_err(from_datafusion)?;
        let plan = match settings.refresh_tables {
            Some(period) => keep_rows(plan, period).map_err(from_datafusion)?,
            None => plan,
        };
        refusals::refuse(&plan, settings.output_mode).map_err(from_datafusion)?;
        let mut sources = sources::find(&plan).map_err(from_datafusion)?;
        if sources.is_empty() {
            return Err(Error::unsupported(
                "the statement reads no unbounded table: create one with CREATE UNBOUNDED EXTERNAL TABLE, \
                 or run the statement without StreamingQuery",
            ));
        }
        for source in &sources {
            source.table().expect_readable()?;
        }
        let (plan, mut aggregation) =
            aggregation::find(plan, &mut sources, settings).map_err(from_datafusion)?;
        if let (Some(aggregation), Some(variables)) =
            (&mut aggregation, Variables::of(state.config()))
        {
            aggregation.hide_values(&variables);
        }
        let mut session = match &aggregation {
            Some(aggregation) => aggregation.session(state)?,
            None => state.clone(),
        };
        check_overflow(&mut session);
        let optimized = columns::find(&session, &plan, &mut sources).map_err(from_datafusion)?;
        let rows = match &optimized {
            LogicalPlan::Dml(insert) => insert.input.schema(),
            query => query.schema(),
        };
        Ok(Self {
            schema: Arc::clone(rows.inner()),
            plan,
            session,
            aggregation,
            sources,
        })
    }

    /// Refuses a statement that reads a file or a local folder that does not exist.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) with the table and the path.
    pub(in crate::query) async fn expect_files(&self) -> Result<()> {
        expect_files(&self.session, &self.plan)
            .await
            .map_err(from_datafusion)
    }

    /// The plan of a batch with the given reads, one for each source.
    ///
    /// # Errors
    /// The plan cannot be rewritten.
    pub(in crate::query) fn for_batch(&self, reads: &[Arc<BatchReads>]) -> Result<BatchPlan> {
        // An optimized plan must keep the aggregation even if the batch has no rows: the watermark may close
        // groups.
        let plan = self.with_reads(reads, self.aggregation.is_some())?;
        Ok(BatchPlan {
            plan,
            reads: reads.to_vec(),
            has_aggregation: self.aggregation.is_some(),
        })
    }

    /// The plan of a batch without rows, which has the same shape as that of any other batch.
    fn without_rows(&self) -> Result<LogicalPlan> {
        let reads = vec![Arc::default(); self.sources.len()];
        self.with_reads(&reads, true)
    }

    fn with_reads(&self, reads: &[Arc<BatchReads>], never_empty: bool) -> Result<LogicalPlan> {
        let tables = self.sources.iter().zip(reads).map(|(source, reads)| {
            let table = source.batch_table(Arc::clone(reads));
            let table = match never_empty {
                true => table.never_empty(),
                false => table,
            };
            Arc::new(table) as Arc<dyn TableProvider>
        });
        let tables: Vec<_> = tables.collect();
        with_tables(self.plan.clone(), &self.sources, &tables).map_err(from_datafusion)
    }

    /// Whether the statement is an INSERT, and not a SELECT.
    pub(in crate::query) fn inserts(&self) -> bool {
        matches!(self.plan, LogicalPlan::Dml(_))
    }

    /// A description of the target: `KinesisSink[word_counts]`, `Table[out]`, or `Rows` for a SELECT.
    pub(in crate::query) fn sink(&self) -> String {
        let LogicalPlan::Dml(insert) = &self.plan else {
            return "Rows".to_owned();
        };
        match self.target() {
            Some(target) => format!("KinesisSink[{}]", target.table().options().stream.name()),
            None => format!("Table[{}]", insert.table_name),
        }
    }

    /// The name of the table that the statement inserts into; `Rows` for a SELECT.
    fn target_name(&self) -> String {
        match &self.plan {
            LogicalPlan::Dml(insert) => insert.table_name.table().to_owned(),
            _ => "Rows".to_owned(),
        }
    }

    /// The Kinesis table that the statement inserts into.
    pub(in crate::query) fn target(&self) -> Option<PlanTarget> {
        let LogicalPlan::Dml(insert) = &self.plan else {
            return None;
        };
        let provider = source_as_provider(&insert.target).ok();
        let provider = provider.filter(|provider| provider.is::<KinesisTable>());
        provider.map(PlanTarget)
    }

    /// The schema of the rows that the statement returns or inserts.
    pub(in crate::query) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The session of a batch, in which functions such as `now()` return `time`.
pub(in crate::query) fn state_at(state: &SessionState, time: UnixMillis) -> SessionState {
    let mut state = state.clone();
    // Resets the generator of aliases and takes a snapshot of the settings.
    state.mark_start_execution();
    InStreamingQuery::set(state.config_mut());
    state.execution_props_mut().query_execution_start_time =
        DateTime::from_timestamp_millis(time.0);
    state
}

/// `plan` with each scan of a source reading that source's table in `tables`.
fn with_tables(
    plan: LogicalPlan,
    sources: &[PlanSource],
    tables: &[Arc<dyn TableProvider>],
) -> DataFusionResult<LogicalPlan> {
    let replaced = plan.transform_down(|mut node| {
        let LogicalPlan::TableScan(scan) = &mut node else {
            return Ok(Transformed::no(node));
        };
        let Ok(found) = source_as_provider(&scan.source) else {
            return Ok(Transformed::no(node));
        };
        let index = sources
            .iter()
            .position(|source| Arc::ptr_eq(&source.scanned, &found));
        let Some(table) = index.and_then(|index| tables.get(index)) else {
            return Ok(Transformed::no(node));
        };
        scan.source = provider_as_source(Arc::clone(table));
        Ok(Transformed::yes(node))
    })?;
    Ok(replaced.data)
}

#[cfg(test)]
pub(in crate::query) mod tests;
