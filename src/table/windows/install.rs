//! Windows in a session: their functions and the rules about them.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::physical_optimizer::PhysicalOptimizerRule;

use super::functions::{WindowFunction, WindowKind};
use super::guard::Guarded;
use super::rule::WindowRule;

/// Makes `state` know windows, once.
pub(in crate::table) fn install(state: &mut SessionState) {
    let rules = state.physical_optimizers();
    if rules.iter().any(|rule| rule.name() == WindowRule.name()) {
        return;
    }
    // A state has no setter for rules; a new one would have a name of its own, and no default catalog
    // where a user wants one later.
    let options = &state.config().options().catalog;
    let creates_catalog = options.create_default_catalog_and_schema;
    let mut builder = SessionStateBuilder::new_from_existing(state.clone())
        .with_session_id(state.session_id().to_owned());
    if let Some(optimizer) = builder.optimizer() {
        for rule in &mut optimizer.rules {
            *rule = Guarded::around(Arc::clone(rule));
        }
    }
    if let Some(optimizer) = builder.physical_optimizers() {
        optimizer.rules.insert(0, Arc::new(WindowRule));
    }
    *state = builder.build();
    let options = state.config_mut().options_mut();
    options.catalog.create_default_catalog_and_schema = creates_catalog;
    for kind in WindowKind::ALL {
        if let Err(error) = state.register_udf(WindowFunction::udf(kind)) {
            tracing::warn!("function {} is not registered: {error}", kind.name());
        }
    }
}
