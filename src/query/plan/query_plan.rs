//! The plan of a query: its members, each a statement with an output of its own, and the sources they share.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;

use super::{BatchPlan, PlanTarget, StreamingPlan};
use crate::error::Result;
use crate::kinesis::RecordColumns;
use crate::model::{AGGREGATION, aggregation_of};
use crate::source::BatchReads;
use crate::table::KinesisTable;

/// The plan of a query.
#[derive(Debug)]
pub(in crate::query) struct QueryPlan {
    /// The only one of a query of one statement, or those of a statement set in their order.
    pub(in crate::query) members: Vec<Arc<Member>>,
    /// The unbounded tables that the members read, each once.
    pub(in crate::query) sources: Vec<QuerySource>,
}

/// A statement of a query.
#[derive(Debug)]
pub(in crate::query) struct Member {
    /// Its name in the statement set; `None` for a query of one statement.
    pub(in crate::query) name: Option<String>,
    pub(in crate::query) plan: StreamingPlan,
    /// For each source of the plan, its index among those of the query.
    sources: Vec<usize>,
}

/// An unbounded table that a query reads.
#[derive(Debug)]
pub(in crate::query) struct QuerySource {
    /// Its name in the first statement that reads it.
    pub(in crate::query) name: String,
    provider: Arc<dyn TableProvider>,
    /// The union of the columns that the members need.
    pub(in crate::query) columns: RecordColumns,
    /// Whether a member has a watermark over its rows.
    pub(in crate::query) has_watermark: bool,
}

impl QuerySource {
    pub(in crate::query) fn table(&self) -> &KinesisTable {
        self.provider
            .downcast_ref()
            .expect("only Kinesis tables are found as sources")
    }

    /// Whether the query fails if records of this source are lost.
    pub(in crate::query) fn fails_on_data_loss(&self) -> bool {
        self.table().options().source.fail_on_data_loss
    }
}

impl QueryPlan {
    /// The plan of a query of one statement.
    pub(in crate::query) fn single(plan: StreamingPlan) -> Self {
        Self::new([(None, plan)])
    }

    /// The plan of a query of these statements, at least one, with their names.
    pub(super) fn new(
        statements: impl IntoIterator<Item = (Option<String>, StreamingPlan)>,
    ) -> Self {
        let (mut members, mut sources) = (Vec::new(), Vec::<QuerySource>::new());
        for (name, mut plan) in statements {
            let has_watermark = plan
                .aggregation
                .as_ref()
                .is_some_and(|aggregation| aggregation.delay.is_some());
            let mut indices = Vec::with_capacity(plan.sources.len());
            for source in &mut plan.sources {
                let mut known = sources.iter();
                let index = known.position(|known| Arc::ptr_eq(&known.provider, &source.provider));
                // Else each member would write them.
                source.writes_dead_letters = index.is_none();
                let index = index.unwrap_or_else(|| {
                    sources.push(QuerySource {
                        name: source.name.clone(),
                        provider: Arc::clone(&source.provider),
                        columns: source.columns,
                        has_watermark: false,
                    });
                    sources.len() - 1
                });
                let shared = &mut sources[index];
                shared.columns = shared.columns.union(source.columns);
                shared.has_watermark |= has_watermark;
                indices.push(index);
            }
            members.push(Arc::new(Member {
                name,
                plan,
                sources: indices,
            }));
        }
        Self { members, sources }
    }

    /// Whether its statements are INSERTs, and not a SELECT.
    pub(in crate::query) fn inserts(&self) -> bool {
        self.members.iter().all(|member| member.plan.inserts())
    }

    /// The name of the first table that it writes to; `None` for a SELECT.
    pub(in crate::query) fn target_name(&self) -> Option<String> {
        let first = &self.members[0].plan;
        first.inserts().then(|| first.target_name())
    }

    /// Descriptions of all targets.
    pub(in crate::query) fn sink(&self) -> String {
        let sinks = self.members.iter().map(|member| member.plan.sink());
        sinks.collect::<Vec<_>>().join(", ")
    }

    /// The Kinesis tables that the statements insert into, each once.
    pub(in crate::query) fn targets(&self) -> Vec<PlanTarget> {
        let mut targets: Vec<PlanTarget> = Vec::new();
        for target in self
            .members
            .iter()
            .filter_map(|member| member.plan.target())
        {
            if !targets.iter().any(|known| known.is(&target)) {
                targets.push(target);
            }
        }
        targets
    }

    /// The session of the first statement.
    pub(in crate::query) fn session(&self) -> &SessionState {
        &self.members[0].plan.session
    }

    /// The schema of the rows that the first statement returns or inserts.
    pub(in crate::query) fn schema(&self) -> SchemaRef {
        self.members[0].plan.schema()
    }

    /// Refuses a statement that reads a file or a local folder that does not exist.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) with the table and the path.
    pub(in crate::query) async fn expect_files(&self) -> Result<()> {
        for member in &self.members {
            member.plan.expect_files().await?;
        }
        Ok(())
    }
}

impl Member {
    /// The name under which the state of its aggregation is stored.
    pub(in crate::query) fn operator_id(&self) -> String {
        match &self.name {
            None => AGGREGATION.to_owned(),
            Some(name) => aggregation_of(name),
        }
    }

    /// Its plan of a batch, given the reads of all sources of the query.
    ///
    /// # Errors
    /// The plan cannot be rewritten.
    pub(in crate::query) fn for_batch(&self, reads: &[Arc<BatchReads>]) -> Result<BatchPlan> {
        let own = self.sources.iter().map(|index| Arc::clone(&reads[*index]));
        self.plan.for_batch(&own.collect::<Vec<_>>())
    }

    /// The indices of its own sources among those of the query, in the order of its plan.
    pub(in crate::query) fn source_indices(&self) -> &[usize] {
        &self.sources
    }
}
