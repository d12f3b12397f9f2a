//! The session in which the batches of a stateful query are planned and run.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use super::batch::StateBatch;
use super::event_time::EventTime;
use super::event_time_exec::EventTimeExec;
use super::rewrite::StateRule;
use super::whole::{KeptAbove, Whole};

/// Logical rules that are right for the rows of one batch, and not for those of all:
///
/// - DISTINCT in an aggregate would become an aggregate over an aggregate, of which one has no state;
/// - what is constant in one batch is another constant in the next, so that groups by it have to stay;
/// - a plan that is found to have no rows would lose its state.
const NO_LOGICAL: [&str; 4] = [
    "single_distinct_aggregation_to_group_by",
    "eliminate_group_by_constant",
    "eliminate_filter",
    "propagate_empty_relation",
];

/// Physical rules that are right for the rows of one batch only: they leave out groups that need not be
/// given, and take one part of an aggregation for the whole.
const NO_PHYSICAL: [&str; 3] = [
    "TopKAggregation",
    "LimitedDistinctAggregation",
    "AggregateStatistics",
];

/// `state` as it plans batches with `rule`.
pub(crate) fn stateful_session(state: &SessionState, rule: StateRule) -> SessionState {
    let logical = state.optimizers().iter();
    let logical = logical.filter(|rule| !NO_LOGICAL.contains(&rule.name()));
    let logical = logical.map(|rule| match rule.name() {
        KeptAbove::RULE => Arc::new(KeptAbove(Arc::clone(rule))),
        _ => Arc::clone(rule),
    });
    let physical = state.physical_optimizers().iter().map(Arc::clone);
    let physical = physical.filter(|rule| !NO_PHYSICAL.contains(&rule.name()));
    let mut rules: Vec<_> = vec![Arc::new(rule) as _];
    rules.extend(physical);
    let mut session = SessionStateBuilder::new_from_existing(state.clone())
        .with_optimizer_rules(logical.collect())
        .with_physical_optimizer_rules(rules)
        .with_query_planner(Arc::new(StatePlanner))
        .build();
    // A stream cannot read fields of a struct or a map apart, and the columns of the state would be called
    // by the names that the optimizer makes for such fields.
    let options = session.config_mut().options_mut();
    options.optimizer.enable_leaf_expression_pushdown = false;
    session
}

/// `state` as it runs `batch`.
pub(crate) fn in_batch(state: &SessionState, batch: &Arc<StateBatch>) -> SessionState {
    let mut state = state.clone();
    state.config_mut().set_extension(Arc::clone(batch));
    state
}

/// Plans the nodes of this module besides those of DataFusion.
#[derive(Debug)]
struct StatePlanner;

#[async_trait]
impl QueryPlanner for StatePlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let extensions: Vec<Arc<dyn ExtensionPlanner + Send + Sync>> = vec![Arc::new(Self)];
        DefaultPhysicalPlanner::with_extension_planners(extensions)
            .create_physical_plan(logical_plan, session)
            .await
    }
}

#[async_trait]
impl ExtensionPlanner for StatePlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        planning_ctx: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let [input] = physical_inputs else {
            return Ok(None);
        };
        if node.as_any().is::<Whole>() {
            return Ok(Some(Arc::clone(input)));
        }
        let Some(node) = node.as_any().downcast_ref::<EventTime>() else {
            return Ok(None);
        };
        let schema = node.input.schema();
        let physical = |expr| planner.create_physical_expr(expr, schema, session, planning_ctx);
        let end = node.end.as_ref().map(physical).transpose()?;
        let (time, shard) = (physical(&node.time)?, physical(&node.shard)?);
        let exec = EventTimeExec::try_new(Arc::clone(input), time, shard, end)?;
        Ok(Some(Arc::new(exec)))
    }
}
