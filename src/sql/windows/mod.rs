//! Time windows in GROUP BY: `tumble`, `hop` and `session`.
//!
//! A tumbling window is a function of a row's time, `date_bin`, and its end one of that, `bin_end`. Of the other two
//! a row does not know its window alone: it lies in several that hop, and a session is made of all its
//! rows. Both are grouped in two steps:
//!
//! ```text
//!  hop:     Final ◀── HopExec: a row per window ◀── Partial, by panes
//!  session: Final ◀── SessionExec: merges what touches ◀── Partial, by time and time + gap
//! ```
//!
//! A pane is the longest piece of time that lies in the same windows throughout. Between the two steps
//! there are states of aggregates and no rows, so a row is aggregated once in however many windows.

mod call;
mod functions;
mod group_window;
mod guarded_rules;
mod hop;
mod hop_exec;
mod physical_rule;
mod rewrite;
mod session;
mod session_exec;
mod time_steps;
mod tumble;
mod window_names;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;

use self::functions::{WindowFunction, WindowKind};
pub(crate) use self::group_window::{GroupWindow, windowed};
pub(super) use self::guarded_rules::GuardedRule;
pub(crate) use self::hop::HopWindow;
pub(super) use self::physical_rule::WindowRule;
pub(super) use self::rewrite::expand_windows;
pub(crate) use self::session::SessionWindow;
use self::tumble::BIN_END;
pub(crate) use self::tumble::{BinSize, Bins, bin_end};

/// The functions that window calls are expanded to, besides `date_bin`.
pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let kinds = WindowKind::ALL.map(WindowFunction::udf);
    kinds.into_iter().chain([bin_end()])
}

/// Registers `bin_end`, which `window_end` is expanded to, in a session where this crate's SQL is not
/// installed.
pub(super) fn register_bin_end(ctx: &SessionContext) {
    let is_registered = ctx
        .state_ref()
        .read()
        .scalar_functions()
        .contains_key(BIN_END);
    if !is_registered {
        ctx.register_udf(ScalarUDF::clone(&bin_end()));
    }
}

#[cfg(test)]
mod tests;
