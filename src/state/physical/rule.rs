//! [`StateRule`]: the optimizer rule that makes the aggregation of a streaming plan stateful.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, plan_datafusion_err};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};

use super::planner::event_time_exec;
use super::state_exec::{Merge, StateExec};
use crate::model::OutputMode;
use crate::sql::windows::{GroupWindow, HopWindow, SessionWindow, windowed};
use crate::state::logical::ExpiryColumn;
use crate::state::memory::{After, Ends, Expiry, Grouping, Layout, SessionColumns, state_schema};
use crate::table::KinesisReadExec;

/// Puts a [`StateExec`] between the partial and the final aggregate over a stream:
/// `Final(Partial(X))` becomes `Final(StateExec(Partial(X)))`.
///
/// It must be the first rule, because later rules assume that the two steps aggregate only a single
/// batch.
#[derive(Debug)]
pub(crate) struct StateRule {
    pub(crate) mode: OutputMode,
    /// The column by which groups are closed, if they are.
    pub(crate) closing: Option<ExpiryColumn>,
}

impl PhysicalOptimizerRule for StateRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = config.execution.target_partitions.max(1);
        let plan = plan.transform_up(|node| match event_time_exec(&node)? {
            Some(exec) => Ok(Transformed::yes(Arc::new(exec) as _)),
            None => Ok(Transformed::no(node)),
        });
        let plan = plan.data()?;
        plan.transform_down(|node| match aggregation(&node) {
            Some((last, first)) if reads_stream(first) => {
                let stateful = self.stateful(last, first, partitions)?;
                // The plan below has no state.
                Ok(Transformed::new(
                    stateful,
                    true,
                    datafusion::common::tree_node::TreeNodeRecursion::Jump,
                ))
            }
            _ => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "kinesis_state"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The final and the partial aggregate of `node`, as the planner creates them.
fn aggregation(node: &Arc<dyn ExecutionPlan>) -> Option<(&AggregateExec, &AggregateExec)> {
    let last = node.downcast_ref::<AggregateExec>()?;
    let first = last.input().downcast_ref::<AggregateExec>()?;
    let whole = matches!(
        last.mode(),
        AggregateMode::Final | AggregateMode::FinalPartitioned
    );
    (whole && *first.mode() == AggregateMode::Partial).then_some((last, first))
}

fn reads_stream(plan: &AggregateExec) -> bool {
    let mut nodes: Vec<&dyn ExecutionPlan> = vec![plan];
    while let Some(node) = nodes.pop() {
        let scan = node.downcast_ref::<KinesisReadExec>();
        if scan.is_some_and(|scan| scan.batch_reads().is_some()) {
            return true;
        }
        nodes.extend(node.children().into_iter().map(|child| &**child));
    }
    false
}

impl StateRule {
    fn stateful(
        &self,
        last: &AggregateExec,
        first: &AggregateExec,
        partitions: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let window = windowed(first.group_expr(), &first.input().schema())?;
        let (window, group_by) = match window {
            Some((window, group_by)) => (Some(window), group_by),
            None => (None, first.group_expr().clone()),
        };
        let partial = AggregateExec::try_new(
            AggregateMode::Partial,
            group_by.clone(),
            first.aggr_expr().to_vec(),
            first.filter_expr().to_vec(),
            Arc::clone(first.input()),
            first.input_schema(),
        )?;
        let planned = partial.schema();
        let schema = state_schema(&planned);
        let group_by = group_by.as_final();
        let groups = group_by.expr().len();
        let (hop, session) = match window {
            Some(GroupWindow::Hop(hop)) => (Some(hop), None),
            Some(GroupWindow::Session(session)) => (None, Some(Arc::new(session))),
            None => (None, None),
        };
        let bounds = session.as_ref().map(|session| SessionColumns {
            start: session.start,
            end: session.end,
        });
        let expiry = self.expiry(&schema, &group_by, hop.as_ref(), session.as_deref())?;
        let layout = Layout::new(schema, groups, bounds, expiry)?;
        let keys = keys(groups, hop.as_ref(), bounds);
        let grouping = Grouping {
            distinct: first.aggr_expr().is_empty() && hop.is_none() && session.is_none(),
            partitions: if keys.is_empty() { 1 } else { partitions },
            keys,
            layout: Arc::new(layout),
            hop,
            mode: self.mode,
        };
        let merge = Merge {
            schema: planned,
            partitions: grouping.partitions,
            grouping: Arc::new(grouping),
            session,
            group_by,
            aggregates: partial.aggr_expr().to_vec(),
            input_schema: first.input_schema(),
        };
        let stateful = StateExec::new(Arc::new(partial), Arc::new(merge));
        let last = AggregateExec::try_new(
            *last.mode(),
            last.group_expr().clone(),
            last.aggr_expr().to_vec(),
            last.filter_expr().to_vec(),
            Arc::new(stateful),
            last.input_schema(),
        )?;
        Ok(Arc::new(last))
    }

    /// The expiry of the groups.
    fn expiry(
        &self,
        schema: &Schema,
        group_by: &PhysicalGroupBy,
        hop: Option<&HopWindow>,
        session: Option<&SessionWindow>,
    ) -> Result<Option<Expiry>> {
        let Some(closing) = &self.closing else {
            return Ok(None);
        };
        let (column, after) = match (hop, session) {
            (Some(hop), _) => {
                let (slide, size) = (hop.slide(), hop.size());
                (hop.column, After::Pane { slide, size })
            }
            (None, Some(session)) => (session.end, After::Nothing),
            (None, None) => {
                let groups = group_by.expr();
                let mut names = groups.iter().map(|(_, name)| name);
                let found = names.position(|name| *name == closing.column);
                // The optimizer may rename the column, and keeps the order of columns.
                let same = groups.len() == closing.groups;
                let found = found.or(Some(closing.index).filter(|_| same));
                let column = found.ok_or_else(|| {
                    plan_datafusion_err!(
                        "the group column '{}' that closes groups is not in the plan",
                        closing.column
                    )
                })?;
                (column, closing.after.clone())
            }
        };
        Ok(Some(Expiry::new(Ends { column, after }, schema)?))
    }
}

/// The group columns by which groups are partitioned: not by windows that are merged.
fn keys(groups: usize, hop: Option<&HopWindow>, session: Option<SessionColumns>) -> Vec<usize> {
    let apart = |column: &usize| {
        let of_hop = hop.is_some_and(|hop| hop.column == *column);
        let of_session = session.is_some_and(|s| [s.start, s.end].contains(column));
        !of_hop && !of_session
    };
    (0..groups).filter(apart).collect()
}
