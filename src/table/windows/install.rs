//! Rules in a session: those about windows, whose functions come with them, and that about records that fail.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::SessionContext;

use super::bin::{BIN_END, bin_end};
use super::functions::{WindowFunction, WindowKind};
use super::guard::Guarded;
use super::rule::WindowRule;
use crate::table::distinct_floats::DistinctFloats;
use crate::table::row_errors::RowErrorRule;

/// Makes `ctx` know the function that `window_end` is written out as: where no table was registered with
/// this crate, the session has none of its functions.
pub(in crate::table) fn know_ends(ctx: &SessionContext) {
    let knows = ctx
        .state_ref()
        .read()
        .scalar_functions()
        .contains_key(BIN_END);
    if !knows {
        ctx.register_udf(ScalarUDF::clone(&bin_end()));
    }
}

/// Makes `state` know windows, and name records that fail, once.
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
        optimizer.rules.insert(0, Arc::new(DistinctFloats));
    }
    if let Some(optimizer) = builder.physical_optimizers() {
        optimizer.rules.insert(0, Arc::new(WindowRule));
        optimizer.rules.push(Arc::new(RowErrorRule));
    }
    *state = builder.build();
    let options = state.config_mut().options_mut();
    options.catalog.create_default_catalog_and_schema = creates_catalog;
    let windows = WindowKind::ALL.map(WindowFunction::udf);
    for function in windows.into_iter().chain([bin_end()]) {
        let name = function.name().to_owned();
        if let Err(error) = state.register_udf(function) {
            tracing::warn!("function {name} is not registered: {error}");
        }
    }
}
