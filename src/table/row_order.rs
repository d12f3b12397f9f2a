//! Preserves the order of rows on their way to a sink: shard order, or that of ORDER BY.
//!
//! DataFusion's tables have no order, so the optimizer repartitions rows round-robin and removes a sort below
//! an INSERT. A stream has an order; this module undoes both.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{LexOrdering, OrderingRequirements, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements,
    Partitioning, PlanProperties,
};

use super::unary_node::unary_node;

/// `plan` without the round-robin repartitioning that the optimizer adds below computing nodes.
/// Repartitioning would distribute the rows of one partition key over several partitions, where they could
/// overtake each other.
pub(crate) fn in_source_order(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(repartition) = plan.downcast_ref::<RepartitionExec>()
        && matches!(repartition.partitioning(), Partitioning::RoundRobinBatch(_))
    {
        return in_source_order(Arc::clone(repartition.input()));
    }
    // These two preserve the order within each partition, but report it only for an order by columns.
    let preserves = plan.is::<UnionExec>() || plan.is::<CoalescePartitionsExec>();
    let children = plan.children();
    let maintains_order = plan.maintains_input_order();
    let mut ordered = Vec::with_capacity(children.len());
    for (child, maintains) in children.iter().zip(maintains_order) {
        let child = Arc::clone(child);
        ordered.push(if maintains || preserves {
            in_source_order(child)?
        } else {
            child
        });
    }
    let same = children.iter().zip(&ordered);
    if same
        .into_iter()
        .all(|(child, ordered)| Arc::ptr_eq(child, ordered))
    {
        return Ok(plan);
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    plan.replace_children(ordered, options)
}

/// `plan` with an [`InOrderExec`] above its sort, if its rows come from one.
pub(super) fn with_sort_kept(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        let order = sort.expr().clone();
        return Ok(Arc::new(InOrderExec::new(plan, order)));
    }
    let children = plan.children();
    let ([child], [true]) = (children.as_slice(), plan.maintains_input_order().as_slice()) else {
        return Ok(plan);
    };
    let kept = with_sort_kept(Arc::clone(child))?;
    if Arc::ptr_eq(&kept, child) {
        return Ok(plan);
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    plan.replace_children(vec![kept], options)
}

/// Requires its input to be sorted in a single partition, and passes it through.
///
/// It is placed directly above the sort; further up, the columns of the sort may be gone.
#[derive(Debug)]
pub(crate) struct InOrderExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
}

impl InOrderExec {
    fn new(input: Arc<dyn ExecutionPlan>, order: LexOrdering) -> Self {
        Self { input, order }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self::new(input, self.order.clone()))
    }

    fn expressions(&self) -> impl Iterator<Item = &Arc<dyn PhysicalExpr>> {
        self.order.iter().map(|sort| &sort.expr)
    }
}

impl DisplayAs for InOrderExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InOrderExec: [{}]", self.order)
    }
}

impl ExecutionPlan for InOrderExec {
    unary_node!("InOrderExec", expressions = expressions);

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(OrderingRequirements::from(self.order.clone()))]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
