//! The session that plans and runs the batches of a stateful query.

use std::sync::Arc;

use datafusion::execution::{SessionState, SessionStateBuilder};

use super::planner::StatePlanner;
use super::rule::StateRule;
use crate::error::Result;
use crate::sql::expect_rules;
use crate::state::batch::StateBatch;
use crate::state::logical::AboveBarrier;

/// Logical rules that are correct for one batch, but not across batches:
///
/// - DISTINCT in an aggregate would become an aggregate over an aggregate, one of which has no state;
/// - an expression that is constant in one batch has another value in the next, so grouping by it must not be
///   removed;
/// - a plan that is found to be empty would lose its state.
const NO_LOGICAL: [&str; 4] = [
    "single_distinct_aggregation_to_group_by",
    "eliminate_group_by_constant",
    "eliminate_filter",
    "propagate_empty_relation",
];

/// Physical rules that are correct for one batch only: they drop groups that are not output, or treat one
/// step of an aggregation as the whole.
const NO_PHYSICAL: [&str; 3] = [
    "LimitAggregation",
    "LimitedDistinctAggregation",
    "aggregate_statistics",
];

/// Derives the session that plans batches with `rule`.
///
/// # Errors
/// The engine does not have a rule that has to be removed, under the expected name.
pub(crate) fn stateful_session(state: &SessionState, rule: StateRule) -> Result<SessionState> {
    expect_rules(&NO_LOGICAL)?;
    expect_rules(&NO_PHYSICAL)?;
    expect_rules(&[AboveBarrier::RULE])?;
    let logical = state.optimizers().iter();
    let logical = logical.filter(|rule| !NO_LOGICAL.contains(&rule.name()));
    let logical = logical.map(|rule| match rule.name() {
        AboveBarrier::RULE => Arc::new(AboveBarrier(Arc::clone(rule))),
        _ => Arc::clone(rule),
    });
    let physical = state.physical_optimizers().iter().map(Arc::clone);
    let physical = physical.filter(|rule| !NO_PHYSICAL.contains(&rule.name()));
    let mut rules: Vec<_> = vec![Arc::new(rule) as _];
    rules.extend(physical);
    let planner = StatePlanner::around(Arc::clone(state.query_planner()));
    let mut session = SessionStateBuilder::new_from_existing(state.clone())
        .with_optimizer_rules(logical.collect())
        .with_physical_optimizer_rules(rules)
        .with_query_planner(Arc::new(planner))
        .build();
    // Streams cannot read single fields of a struct or a map, and the columns of the state would get generated names.
    let options = session.config_mut().options_mut();
    options.optimizer.enable_leaf_expression_pushdown = false;
    Ok(session)
}

/// Derives the session that runs `batch`.
pub(crate) fn in_batch(state: &SessionState, batch: &Arc<StateBatch>) -> SessionState {
    let mut state = state.clone();
    state.config_mut().set_extension(Arc::clone(batch));
    state
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::model::OutputMode;

    #[test]
    fn the_engine_has_the_rules_that_are_removed() {
        expect_rules(&NO_LOGICAL).unwrap();
        expect_rules(&NO_PHYSICAL).unwrap();
        expect_rules(&[AboveBarrier::RULE]).unwrap();
    }

    #[test]
    fn a_stateful_session_has_none_of_the_removed_rules() {
        let rule = StateRule {
            mode: OutputMode::Update,
            closing: None,
        };
        let session = stateful_session(&SessionContext::new().state(), rule).unwrap();
        let logical = session.optimizers().iter().map(|rule| rule.name());
        let physical = session.physical_optimizers().iter();
        let names: Vec<&str> = logical.chain(physical.map(|rule| rule.name())).collect();
        let left_out = NO_LOGICAL.iter().chain(&NO_PHYSICAL);
        let found: Vec<_> = left_out.filter(|name| names.contains(name)).collect();
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(
            names
                .iter()
                .filter(|name| **name == AboveBarrier::RULE)
                .count(),
            1
        );
    }
}
