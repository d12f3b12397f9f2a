//! Makes integer overflow an error, where DataFusion wraps around.
//!
//! DataFusion computes `+`, `-`, `*` and negation of integers, and `sum`, modulo 2^64, so a result that is too
//! large is silently wrong. After type coercion, [`CheckOverflow`] replaces them with checked versions under the
//! same column names. DataFusion itself checks decimals, timestamps and intervals; floating-point numbers
//! become infinite; `avg` sums in a wider type, except for durations, which
//! [`CheckedAvg`](avg::CheckedAvg) handles.

mod analyzer_rule;
mod avg;
mod checked_operator;
mod sum;

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;

use self::analyzer_rule::CheckOverflow;

/// Makes integer arithmetic and `sum` in `ctx` fail if the result does not fit its type.
///
/// DataFusion wraps around and returns a wrong number. Streaming queries and the `kinesis-sql` command always
/// check; a program calls this once to check all statements of a session.
pub fn fail_on_overflow(ctx: &SessionContext) {
    check_overflow(&mut ctx.state_ref().write());
}

/// Makes integer arithmetic and `sum` in `state` fail if the result does not fit its type.
pub(crate) fn check_overflow(state: &mut SessionState) {
    let mut rules = state.analyzer().rules.iter();
    if !rules.any(|rule| rule.name() == CheckOverflow::NAME) {
        state.add_analyzer_rule(Arc::new(CheckOverflow::default()));
    }
}

#[cfg(test)]
mod tests;
