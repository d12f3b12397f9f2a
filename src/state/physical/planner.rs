//! [`StatePlanner`]: plans stateful queries with the planner of the session.
//!
//! A user's planner knows DataFusion's nodes and its own, so it must not see the logical nodes of this
//! module. An [`OptimizerBarrier`] is not needed once the plan is optimized, and is removed. An
//! [`EventTimeNode`] becomes a filter by the function `kinesis_event_time(time, shard[, end])`, which the
//! first physical rule replaces with an [`EventTimeExec`].

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Result, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{
    ColumnarValue, Filter, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use super::event_time_exec::EventTimeExec;
use crate::state::logical::EventTimeNode;
use crate::state::logical::OptimizerBarrier;

/// Wraps the planner of a session, and passes it plans without the nodes of this module.
#[derive(Debug)]
pub(crate) struct StatePlanner {
    planner: Arc<dyn QueryPlanner + Send + Sync>,
}

impl StatePlanner {
    pub(crate) fn around(planner: Arc<dyn QueryPlanner + Send + Sync>) -> Self {
        Self { planner }
    }
}

#[async_trait]
impl QueryPlanner for StatePlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = logical_plan.clone().transform_up_with_subqueries(|node| {
            let LogicalPlan::Extension(extension) = &node else {
                return Ok(Transformed::no(node));
            };
            let found = extension.node.as_any();
            if let Some(whole) = found.downcast_ref::<OptimizerBarrier>() {
                return Ok(Transformed::yes(whole.input.clone()));
            }
            match found.downcast_ref::<EventTimeNode>() {
                Some(event_time) => marked(event_time).map(Transformed::yes),
                None => Ok(Transformed::no(node)),
            }
        });
        self.planner
            .create_physical_plan(&plan.data()?, session)
            .await
    }
}

/// Converts an event time node into a filter by the marker function.
fn marked(event_time: &EventTimeNode) -> Result<LogicalPlan> {
    let mut arguments = vec![event_time.time.clone(), event_time.shard.clone()];
    arguments.extend(event_time.end.clone());
    let input = Arc::new(event_time.input.clone());
    let filter = Filter::try_new(MARKER.call(arguments), input)?;
    Ok(LogicalPlan::Filter(filter))
}

/// Converts a filter by the marker function into an [`EventTimeExec`]; `None` for other nodes.
///
/// # Errors
/// The event time is not a timestamp.
pub(crate) fn event_time_exec(node: &Arc<dyn ExecutionPlan>) -> Result<Option<EventTimeExec>> {
    let Some(filter) = node.downcast_ref::<FilterExec>() else {
        return Ok(None);
    };
    let predicate = filter.predicate().downcast_ref::<ScalarFunctionExpr>();
    let is_marker = |call: &&ScalarFunctionExpr| call.fun().inner().is::<Marker>();
    let Some(call) = predicate.filter(is_marker) else {
        return Ok(None);
    };
    let (time, shard, end) = match call.args() {
        [time, shard] => (time, shard, None),
        [time, shard, end] => (time, shard, Some(end)),
        other => return internal_err!("{} arguments of {}", other.len(), call.name()),
    };
    let (time, shard, end) = (Arc::clone(time), Arc::clone(shard), end.cloned());
    EventTimeExec::try_new(Arc::clone(filter.input()), time, shard, end).map(Some)
}

static MARKER: LazyLock<ScalarUDF> = LazyLock::new(|| {
    ScalarUDF::from(Marker {
        signature: Signature::variadic_any(Volatility::Volatile),
    })
});

/// The function that marks a filter to be replaced with an [`EventTimeExec`].
#[derive(Debug, PartialEq, Eq, Hash)]
struct Marker {
    signature: Signature,
}

impl ScalarUDFImpl for Marker {
    fn name(&self) -> &'static str {
        "kinesis_event_time"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!(
            "kinesis_event_time was evaluated as a filter: the planner of the session has to run the \
             session's physical optimizer rules, of which 'kinesis_state' is the first"
        )
    }
}
