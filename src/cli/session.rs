//! The session that statements run in, and the single function that plans them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use tokio::runtime::Handle;

use super::args::{Connection, Restart, RestartPolicy};
use super::console::hide_values;
use super::hints::with_tables;
use crate::error::from_datafusion;
use crate::model::ConnectionSettings;
use crate::session::register_shared;
use crate::sql::Variables;
use crate::{Result, Services, StoreRegistry};

/// State shared by all statements of a run.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) ctx: SessionContext,
    /// Runtime on which statements compute; never the one that waits for them.
    pub(super) engine: Handle,
    /// When streaming statements are started again.
    pub(super) restart: Option<RestartPolicy>,
    /// The environment variables that statements may use.
    pub(super) variables: Option<Arc<Variables>>,
}

impl Session {
    pub(super) fn open(
        connection: &Connection,
        restart: &Restart,
        engine: &Handle,
    ) -> Result<Self> {
        Ok(Self {
            ctx: context(&services(connection))?,
            engine: engine.clone(),
            restart: restart.policy(),
            variables: None,
        })
    }

    /// Lets statements use the environment variables of the process.
    pub(super) fn expand_variables(&mut self) {
        self.variables = Some(with_variables(&self.ctx));
    }

    /// Estimates costs from the prices in `file`.
    ///
    /// # Errors
    /// The file cannot be read, or has other content.
    pub(super) fn set_prices(&self, file: &str) -> Result<()> {
        let state = self.ctx.state_ref();
        let mut state = state.write();
        let set = state
            .config_mut()
            .options_mut()
            .set("streaming.prices", file);
        set.map_err(from_datafusion)
    }
}

/// AWS access with the command line's connection settings.
pub(super) fn services(connection: &Connection) -> Arc<Services> {
    Arc::new(Services::sdk(ConnectionSettings {
        endpoint_url: connection.endpoint_url.clone(),
        region: connection.region.clone(),
        credentials: connection.credentials.clone(),
        allow_http: connection.allow_http,
        ..ConnectionSettings::default()
    }))
}

/// A context in which `SHOW TABLES` works, statements can be interrupted, files may be in object stores, and integer
/// overflow is an error.
pub(super) fn context(services: &Arc<Services>) -> Result<SessionContext> {
    // Without a time zone: DataFusion 55.2 would plan `to_timestamp(text)` with that zone, and fail
    // at run time.
    let config = SessionConfig::new().with_information_schema(true);
    let stores = Arc::new(StoreRegistry::default());
    let runtime = RuntimeEnvBuilder::new().with_object_store_registry(stores);
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_runtime_env(runtime.build_arc().map_err(from_datafusion)?)
        .with_physical_optimizer_rule(Arc::new(Interruptible))
        .build();
    let ctx = SessionContext::new_with_state(state);
    register_shared(&ctx, services);
    crate::fail_on_overflow(&ctx);
    Ok(ctx)
}

/// Lets the statements of `ctx` use the environment variables of the process, whose values stderr then hides.
pub(super) fn with_variables(ctx: &SessionContext) -> Arc<Variables> {
    let variables = Variables::new(std::env::vars_os());
    variables.install(ctx);
    hide_values(&variables);
    variables
}

/// Plans one statement. Statements without rows (DDL, SET) have been executed when this returns.
pub(super) async fn plan(ctx: &SessionContext, text: &str) -> DataFusionResult<DataFrame> {
    let frame = crate::sql(ctx, text).await;
    frame.map_err(|error| with_tables(ctx, error))
}

/// Makes nodes that produce many rows from few input rows yield, so that they can be interrupted.
///
/// The engine's leaf nodes yield, but a join can be busy for minutes with a single input batch, and
/// an aggregate above it would not notice that the statement was cancelled. This is an optimizer
/// rule of the session because a streaming query creates its own plans.
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
