//! Checks that the optimizer rules of DataFusion that this crate disables or wraps still exist by name.

use std::collections::HashSet;
use std::sync::LazyLock;

use datafusion::DATAFUSION_VERSION;
use datafusion::optimizer::Optimizer;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use crate::error::{Error, Result};

/// The names of DataFusion's default rules.
static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let logical = Optimizer::new().rules.into_iter();
    let physical = PhysicalOptimizer::new().rules.into_iter();
    let logical = logical.map(|rule| rule.name().to_owned());
    logical
        .chain(physical.map(|rule| rule.name().to_owned()))
        .collect()
});

/// Checks that DataFusion has rules called `names`. A session may lack them, since a missing rule does no
/// harm. But a rule that a new version of DataFusion renamed would run unnoticed.
///
/// # Errors
/// DataFusion has no rule of one of the names.
pub(crate) fn expect_rules(names: &[&str]) -> Result<()> {
    let missing = names.iter().find(|name| !KNOWN.contains(**name));
    match missing {
        None => Ok(()),
        Some(name) => Err(Error::internal(format!(
            "DataFusion {DATAFUSION_VERSION} has no optimizer rule '{name}'. This crate has to keep that \
             rule away from aggregations over streams and windows; if the rule has another name in this \
             version, it gives wrong results. Build with the DataFusion version in this crate's \
             Cargo.lock, or report the problem"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_rule_is_named() {
        expect_rules(&["push_down_filter", "LimitAggregation"]).unwrap();
        let error = expect_rules(&["push_down_filter", "push_up_filter"]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("'push_up_filter'"), "{text}");
        assert!(text.contains(DATAFUSION_VERSION), "{text}");
    }
}
