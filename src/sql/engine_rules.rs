//! The optimizer rules of DataFusion that this crate switches off or guards, by their names.

use std::collections::HashSet;
use std::sync::LazyLock;

use datafusion::DATAFUSION_VERSION;
use datafusion::optimizer::Optimizer;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use crate::error::{Error, Result};

/// The names of the rules that DataFusion has where nobody changes them.
static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let logical = Optimizer::new().rules.into_iter();
    let physical = PhysicalOptimizer::new().rules.into_iter();
    let logical = logical.map(|rule| rule.name().to_owned());
    logical
        .chain(physical.map(|rule| rule.name().to_owned()))
        .collect()
});

/// Expects that DataFusion has the rules `names`. A session need not have them: what is not there does no
/// harm. A rule of another name would.
///
/// # Errors
/// The engine has no rule of one of the names: it may have the rule under another name, and that would
/// give wrong results.
pub(crate) fn expect_rules(names: &[&str]) -> Result<()> {
    let missing = names.iter().find(|name| !KNOWN.contains(**name));
    match missing {
        None => Ok(()),
        Some(name) => Err(Error::internal(format!(
            "DataFusion {DATAFUSION_VERSION} has no optimizer rule '{name}', which this crate has to \
             keep off aggregations over streams and windows: it may have another name in this version \
             and give wrong results. Build with the version of DataFusion in Cargo.lock of this crate, \
             or report it"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_the_engine_does_not_have_is_named() {
        expect_rules(&["push_down_filter", "LimitAggregation"]).unwrap();
        let error = expect_rules(&["push_down_filter", "push_up_filter"]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("'push_up_filter'"), "{text}");
        assert!(text.contains(DATAFUSION_VERSION), "{text}");
    }
}
