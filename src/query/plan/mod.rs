//! A statement as a streaming query: which streams it reads, and its plan for one batch.

mod aggregation;
mod columns;
mod definition;
mod explain;
mod refusals;
mod sources;

use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;

use crate::error::failure;
use crate::error::{Error, Result};
use crate::kinesis::RecordColumns;
use crate::model::UnixMillis;
use crate::source::BatchReads;
use crate::sql::windows::expand_tumble;
use crate::sql::{StreamingSettings, check_overflow};
use crate::table::{BatchTable, InStreamingQuery, KinesisTable, expect_files};

pub(in crate::query) use aggregation::AggregationPlan;
pub(in crate::query) use definition::{QueryDefinition, is_plan_text};
pub(crate) use explain::explained;
pub use sources::is_streaming;

/// The plan of a streaming statement, kept as it was written: each batch is optimized anew, because
/// its time is a constant in it.
#[derive(Debug)]
pub(in crate::query) struct StreamingPlan {
    plan: LogicalPlan,
    schema: SchemaRef,
    /// The session it is planned in.
    pub(in crate::query) session: SessionState,
    /// Its aggregation, if it has one.
    pub(in crate::query) aggregation: Option<AggregationPlan>,
    /// The unbounded tables it reads, each once, in the order of the statement.
    pub(in crate::query) sources: Vec<PlanSource>,
}

/// An unbounded table a statement reads.
#[derive(Debug)]
pub(in crate::query) struct PlanSource {
    /// What the statement calls it.
    pub(in crate::query) name: String,
    pub(in crate::query) provider: Arc<dyn TableProvider>,
    /// What stands in the plan for it.
    scanned: Arc<dyn TableProvider>,
    /// Whether rows say which read of a batch they came from.
    numbered: bool,
    /// What all of its scans need.
    pub(in crate::query) columns: RecordColumns,
}

/// The plan of one batch, and what it reads of each source.
#[derive(Debug)]
pub(in crate::query) struct BatchPlan {
    pub(in crate::query) plan: LogicalPlan,
    pub(in crate::query) reads: Vec<Arc<BatchReads>>,
    /// Whether it has an aggregation, and so needs the state even without rows.
    pub(in crate::query) has_aggregation: bool,
}

impl PlanSource {
    pub(in crate::query) fn table(&self) -> &KinesisTable {
        self.provider
            .downcast_ref()
            .expect("only Kinesis tables are found as sources")
    }

    /// It as a table of what a batch reads.
    fn batch_table(&self, reads: Arc<BatchReads>) -> BatchTable {
        let table = BatchTable::new(self.table(), reads);
        match self.numbered {
            true => table.with_shard_numbers(),
            false => table,
        }
    }

    /// Whether the query ends where records of it are gone.
    pub(in crate::query) fn fails_on_data_loss(&self) -> bool {
        self.table().options().source.fail_on_data_loss
    }
}

impl StreamingPlan {
    /// Finds what `plan` reads.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where it cannot be right across batches, is no
    /// query, or reads no stream; what the engine says against it otherwise.
    pub(in crate::query) fn new(
        state: &SessionState,
        plan: LogicalPlan,
        settings: &StreamingSettings,
    ) -> Result<Self> {
        let plan = expand_tumble(plan).map_err(failure)?;
        refusals::refuse(&plan, settings.output_mode).map_err(failure)?;
        let mut sources = sources::find(&plan).map_err(failure)?;
        if sources.is_empty() {
            return Err(Error::unsupported(
                "the statement reads no unbounded table: make one with CREATE UNBOUNDED EXTERNAL \
                 TABLE, or run the statement as it is, without StreamingQuery",
            ));
        }
        let (plan, aggregation) =
            aggregation::find(plan, &mut sources, settings).map_err(failure)?;
        let mut session = match &aggregation {
            Some(aggregation) => aggregation.session(state)?,
            None => state.clone(),
        };
        check_overflow(&mut session);
        let optimized = columns::find(&session, &plan, &mut sources).map_err(failure)?;
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

    /// Refuses a statement that reads a file, or a local folder, which does not exist.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) with the table and the place.
    pub(in crate::query) async fn expect_files(&self) -> Result<()> {
        expect_files(&self.session, &self.plan)
            .await
            .map_err(failure)
    }

    /// The plan of a batch that reads `reads`, one for each source.
    ///
    /// # Errors
    /// A plan that cannot be walked.
    pub(in crate::query) fn for_batch(&self, reads: &[Arc<BatchReads>]) -> Result<BatchPlan> {
        // The state is to be seen by batches without rows, too.
        let plan = self.over(reads, self.aggregation.is_some())?;
        Ok(BatchPlan {
            plan,
            reads: reads.to_vec(),
            has_aggregation: self.aggregation.is_some(),
        })
    }

    /// The plan of any batch: it is like the others, and has no rows.
    fn example(&self) -> Result<LogicalPlan> {
        let reads = vec![Arc::default(); self.sources.len()];
        self.over(&reads, true)
    }

    fn over(&self, reads: &[Arc<BatchReads>], never_empty: bool) -> Result<LogicalPlan> {
        let tables = self.sources.iter().zip(reads).map(|(source, reads)| {
            let table = source.batch_table(Arc::clone(reads));
            let table = match never_empty {
                true => table.never_empty(),
                false => table,
            };
            Arc::new(table) as Arc<dyn TableProvider>
        });
        let tables: Vec<_> = tables.collect();
        with_tables(self.plan.clone(), &self.sources, &tables).map_err(failure)
    }

    /// Whether it is an INSERT; otherwise it gives rows.
    pub(in crate::query) fn inserts(&self) -> bool {
        matches!(self.plan, LogicalPlan::Dml(_))
    }

    /// Where its rows go, for people: `KinesisSink[word_counts]`, `Table[out]`, or `Rows` where the
    /// statement does not say it.
    pub(in crate::query) fn sink(&self) -> String {
        let LogicalPlan::Dml(insert) = &self.plan else {
            return "Rows".to_owned();
        };
        let provider = source_as_provider(&insert.target).ok();
        let stream = provider.as_ref().and_then(|provider| {
            let table = provider.downcast_ref::<KinesisTable>()?;
            Some(&table.options().stream)
        });
        match stream {
            Some(stream) => format!("KinesisSink[{}]", stream.name()),
            None => format!("Table[{}]", insert.table_name),
        }
    }

    /// The rows it gives, or inserts.
    pub(in crate::query) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The session of a batch, in which it is `time`: `now()` and its like give it.
pub(in crate::query) fn state_at(state: &SessionState, time: UnixMillis) -> SessionState {
    let mut state = state.clone();
    // Makes names of its own for the plan and takes the settings as they are now.
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
        let place = sources
            .iter()
            .position(|source| Arc::ptr_eq(&source.scanned, &found));
        let Some(table) = place.and_then(|place| tables.get(place)) else {
            return Ok(Transformed::no(node));
        };
        scan.source = provider_as_source(Arc::clone(table));
        Ok(Transformed::yes(node))
    })?;
    Ok(replaced.data)
}

#[cfg(test)]
pub(in crate::query) mod tests;
