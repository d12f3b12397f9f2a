//! Arithmetic that fails where DataFusion's would wrap around.
//!
//! DataFusion computes `+`, `-` and `*` of integers, their negation, and `sum` modulo 2^64, so that a
//! number that is too large becomes a wrong one without a word. [`CheckOverflow`] replaces these with
//! their checked counterparts once types are known, and keeps the names of columns as they were.
//! Decimals, timestamps and intervals are checked by DataFusion itself, floating-point numbers become
//! infinite, and `avg` sums in a wider type but for durations, which [`CheckedAvg`](avg::CheckedAvg) does.

mod analyzer_rule;
mod avg;
mod checked_operator;
mod sum;

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;

use self::analyzer_rule::CheckOverflow;

/// Makes integer arithmetic and `sum` in `ctx` fail where the result does not fit its type.
///
/// DataFusion wraps around, and so gives a wrong number. Streaming queries and the `kinesis-sql` command
/// check always; a program that wants it for all statements of a session calls this once.
pub fn fail_on_overflow(ctx: &SessionContext) {
    check_overflow(&mut ctx.state_ref().write());
}

/// Makes integer arithmetic and `sum` in `state` fail where the result does not fit its type.
pub(crate) fn check_overflow(state: &mut SessionState) {
    let mut rules = state.analyzer().rules.iter();
    if !rules.any(|rule| rule.name() == CheckOverflow::NAME) {
        state.add_analyzer_rule(Arc::new(CheckOverflow::default()));
    }
}

#[cfg(test)]
mod tests;
