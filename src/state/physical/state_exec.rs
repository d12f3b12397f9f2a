//! [`StateExec`]: merges the aggregates of a batch with the stored groups, and outputs the result.

use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err, internal_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{TryStreamExt, stream};
use tokio::task::JoinSet;

use super::restore_exec::RestoreExec;
use crate::sql::windows::SessionWindow;
use crate::state::batch::StateBatch;
use crate::state::memory::{BatchOutput, Grouping, have_same_types};
use crate::table::unary_node;

/// Merges the partial aggregates of a batch with the stored states of their groups, stores the results, and
/// outputs those that the output mode requires, as input of the final aggregate.
///
/// It contains nodes of DataFusion that the optimizer does not see:
///
/// ```text
///  RepartitionExec (hash of the group) ─▶ RestoreExec ─▶ AggregateExec (PartialReduce) ─▶ save
/// ```
///
/// All of it runs before the first row is output, so no node above can keep a group from reaching the state, as a join
/// with an empty table could.
#[derive(Debug)]
pub(crate) struct StateExec {
    input: Arc<dyn ExecutionPlan>,
    merge: Arc<Merge>,
    properties: Arc<PlanProperties>,
    outputs: OnceLock<Vec<BatchOutput>>,
}

/// How states of a group are merged.
#[derive(Debug)]
pub(crate) struct Merge {
    pub(crate) grouping: Arc<Grouping>,
    pub(crate) session: Option<Arc<SessionWindow>>,
    /// The schema of the state in the plan of this batch.
    pub(crate) schema: SchemaRef,
    /// The groups, in terms of the columns of the state.
    pub(crate) group_by: PhysicalGroupBy,
    pub(crate) aggregates: Vec<Arc<AggregateFunctionExpr>>,
    /// The schema of the rows that are aggregated.
    pub(crate) input_schema: SchemaRef,
    pub(crate) partitions: usize,
}

impl StateExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, merge: Arc<Merge>) -> Self {
        let keys = merge.grouping.key_exprs(&merge.schema);
        let partitioning = match (merge.partitions, keys.is_empty()) {
            (1, _) | (_, true) => Partitioning::UnknownPartitioning(1),
            (partitions, false) => Partitioning::Hash(keys, partitions),
        };
        let schema = Arc::clone(&merge.schema);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            partitioning,
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            input,
            merge,
            properties: Arc::new(properties),
            outputs: OnceLock::new(),
        }
    }

    /// The definition of the groups.
    pub(crate) fn grouping(&self) -> &Arc<Grouping> {
        &self.merge.grouping
    }

    /// The number of partitions of the node and of the state.
    pub(crate) fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    /// Runs the plan up to this node.
    ///
    /// # Errors
    /// Reading or computing fails, or the state does not fit into the memory of the session.
    pub(crate) async fn run(&self, context: &Arc<TaskContext>) -> Result<()> {
        let batch = StateBatch::of(context)?;
        let merge = &self.merge;
        let store = &batch.store;
        let planned = merge.grouping.layout.schema();
        if store.partitions() != self.partitions() || !have_same_types(store.schema(), planned) {
            return internal_err!(
                "the state has {} partitions of {}, and the plan of the batch {} of {planned}",
                store.partitions(),
                store.schema(),
                self.partitions()
            );
        }
        let input = Arc::clone(&self.input);
        let partitioned: Arc<dyn ExecutionPlan> = match self.properties.output_partitioning() {
            Partitioning::Hash(..) => {
                let partitioning = self.properties.output_partitioning().clone();
                Arc::new(RepartitionExec::try_new(input, partitioning)?)
            }
            _ => Arc::new(CoalescePartitionsExec::new(input)),
        };
        let session = merge.session.clone();
        let restored = RestoreExec::new(partitioned, Arc::clone(&merge.grouping), session);
        let reduced = Arc::new(AggregateExec::try_new(
            AggregateMode::PartialReduce,
            merge.group_by.clone(),
            merge.aggregates.clone(),
            vec![None; merge.aggregates.len()],
            Arc::new(restored),
            Arc::clone(&merge.input_schema),
        )?);
        let mut tasks = JoinSet::new();
        for partition in 0..self.partitions() {
            let early_output = merge
                .grouping
                .output_before_merge(&store.partition(partition), &batch.times)?;
            let rows = reduced.execute(partition, Arc::clone(context))?;
            let (grouping, batch) = (Arc::clone(&merge.grouping), Arc::clone(&batch));
            tasks.spawn(async move {
                let output = save(rows, early_output, &grouping, &batch, partition).await?;
                Ok::<_, datafusion::error::DataFusionError>((partition, output))
            });
        }
        let nothing = RecordBatch::new_empty(Arc::clone(planned));
        let mut outputs = vec![BatchOutput::Rows(nothing); self.partitions()];
        while let Some(done) = tasks.join_next().await {
            let done =
                done.map_err(|error| exec_datafusion_err!("a task of a batch failed: {error}"))?;
            let (partition, rows) = done.map_err(|error| store.explain_memory(error))?;
            outputs[partition] = rows;
        }
        store.account()?;
        batch.account(&outputs, merge.grouping.outputs_changed_groups(), context)?;
        // A second run would merge the rows again.
        let first = self.outputs.set(outputs);
        first.map_err(|_| internal_datafusion_err!("a stateful plan ran twice"))
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input, Arc::clone(&self.merge)))
    }
}

async fn save(
    rows: SendableRecordBatchStream,
    early_output: Option<RecordBatch>,
    grouping: &Grouping,
    batch: &StateBatch,
    partition: usize,
) -> Result<BatchOutput> {
    let schema = grouping.layout.schema();
    let own = |rows: RecordBatch| with_columns(rows, schema);
    let reduced: Vec<RecordBatch> = rows.try_collect().await?;
    let reduced = reduced.into_iter().map(own);
    let reduced = reduced.collect::<Result<Vec<_>>>()?;
    let mut groups = batch.store.partition(partition);
    let saved = grouping.save(&mut groups, &reduced, early_output, &batch.times)?;
    let mut changes = batch.changes();
    changes.removed += saved.closed;
    if saved.changed.num_rows() > 0 {
        changes.changed.push(saved.changed);
    }
    Ok(saved.output)
}

/// `rows` with `schema`, which has the same types.
fn with_columns(rows: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let (_, columns, count) = rows.into_parts();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let schema = Arc::clone(schema);
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

impl DisplayAs for StateExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grouping = &self.merge.grouping;
        let schema = grouping.layout.schema();
        let groups = &schema.fields()[..grouping.layout.groups()];
        let groups: Vec<&str> = groups.iter().map(|field| &**field.name()).collect();
        let (mode, groups) = (grouping.mode, groups.join(", "));
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "StateExec: mode={mode}, groups=[{groups}]")
            }
            DisplayFormatType::TreeRender => writeln!(f, "mode={mode}\ngroups={groups}"),
        }
    }
}

impl ExecutionPlan for StateExec {
    unary_node!("StateExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// The node partitions its input itself.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(outputs) = self.outputs.get() else {
            return internal_err!("a stateful plan is read before it has run");
        };
        let grouping = Arc::clone(&self.merge.grouping);
        let batch_size = context.session_config().batch_size();
        let rows = grouping.rows(outputs[partition].clone(), batch_size);
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            stream::iter(rows),
        )))
    }
}
