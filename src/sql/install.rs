//! Installs this crate's functions, optimizer rules and settings in a session.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::physical_optimizer::PhysicalOptimizerRule;

use super::derived_tables::DerivedTablePlanner;
use super::distinct_floats::DistinctFloats;
use super::functions::octet_length;
use super::json;
use super::row_errors::RowErrorRule;
use super::settings::StreamingSettings;
use super::windows::{self, GuardedRule, TumbleRule, WindowRule};

/// Adds this crate's SQL to `state`. Installing it twice changes nothing.
pub(crate) fn install(state: &mut SessionState) {
    StreamingSettings::install(state.config_mut().options_mut());
    install_rules(state);
    for function in windows::functions().chain([octet_length()]) {
        let name = function.name().to_owned();
        if let Err(error) = state.register_udf(function) {
            tracing::warn!("function {name} is not registered: {error}");
        }
    }
    if let Err(error) = json::install(state) {
        tracing::warn!("the JSON functions are not registered: {error}");
    }
}

fn install_rules(state: &mut SessionState) {
    let rules = state.physical_optimizers();
    if rules.iter().any(|rule| rule.name() == WindowRule.name()) {
        return;
    }
    // SessionState has no setter for its rules, so it is rebuilt. The builder would give the new state
    // another id, and would not create the default catalog if a setting requests it later.
    let options = &state.config().options().catalog;
    let creates_catalog = options.create_default_catalog_and_schema;
    let mut builder = SessionStateBuilder::new_from_existing(state.clone())
        .with_session_id(state.session_id().to_owned());
    if let Some(analyzer) = builder.analyzer() {
        analyzer.rules.insert(0, Arc::new(TumbleRule));
    }
    if let Some(planners) = builder.relation_planners() {
        planners.insert(0, Arc::new(DerivedTablePlanner));
    }
    if let Some(optimizer) = builder.optimizer() {
        for rule in &mut optimizer.rules {
            *rule = GuardedRule::around(Arc::clone(rule));
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
}
