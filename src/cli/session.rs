//! The session that statements run in, and the one place that turns a statement into a plan.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use tokio::runtime::Handle;

use super::args::Connection;
use super::hints::with_tables;
use crate::model::ConnectionSettings;
use crate::session::register_shared;
use crate::{Result, Services};

/// What all statements of a run share.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) ctx: SessionContext,
    /// Where statements compute; never the runtime that waits for them.
    pub(super) engine: Handle,
}

impl Session {
    pub(super) fn open(connection: &Connection, engine: &Handle) -> Result<Self> {
        Ok(Self {
            ctx: context(&services(connection))?,
            engine: engine.clone(),
        })
    }
}

/// The way to AWS, with what the command line says.
pub(super) fn services(connection: &Connection) -> Arc<Services> {
    Arc::new(Services::sdk(ConnectionSettings {
        endpoint_url: connection.endpoint_url.clone(),
        region: connection.region.clone(),
        credentials: connection.credentials.clone(),
        allow_http: connection.allow_http,
        proxy: None,
    }))
}

/// A context with what the command promises: `SHOW TABLES` works, a statement can be ended, and integers do
/// not wrap around.
pub(super) fn context(services: &Arc<Services>) -> Result<SessionContext> {
    // No time zone: with one DataFusion 55.2 has `to_timestamp` of a text promise it, and fail when it runs.
    let config = SessionConfig::new().with_information_schema(true);
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_physical_optimizer_rule(Arc::new(Interruptible))
        .build();
    let ctx = SessionContext::new_with_state(state);
    register_shared(&ctx, services);
    crate::fail_on_overflow(&ctx);
    Ok(ctx)
}

/// The plan of one statement; statements without rows (DDL, SET) have been executed when it returns.
pub(super) async fn plan(ctx: &SessionContext, text: &str) -> DataFusionResult<DataFrame> {
    let frame = crate::sql(ctx, text).await;
    frame.map_err(|error| with_tables(ctx, error))
}

/// The engine's leaves yield by themselves, but a join can be busy for minutes with one batch of a leaf, and an
/// aggregate over it would not hear that the statement was ended.
///
/// A rule of the session, because the plans of a streaming query are made by the query.
#[derive(Debug)]
struct Interruptible;

impl PhysicalOptimizerRule for Interruptible {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let multiplies = node.name().ends_with("JoinExec") || node.name() == "UnnestExec";
            Ok(match multiplies {
                true => {
                    Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>)
                }
                false => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "interruptible"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
