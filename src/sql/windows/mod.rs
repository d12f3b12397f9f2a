//! Time windows in GROUP BY: `tumble`, `hop` and `session`.
//!
//! A tumbling window is a function of the row's time: it starts at `date_bin` and ends at `bin_end` of that.
//! The other two are not functions of one row: a row belongs to several hopping windows, and a session is
//! defined by all of its rows. Both are computed between the two steps of the aggregation:
//!
//! ```text
//!  hop:     Final ◀── HopExec: one row per window ◀── Partial, by panes
//!  session: Final ◀── SessionExec: merges sessions that touch ◀── Partial, by time and time + gap
//! ```
//!
//! A pane is the longest interval whose times all belong to the same windows. Aggregate states, not rows, pass
//! between the two steps, so each row is aggregated only once, however many windows it belongs to.
//!
//! [`rewrite`] expands the calls in the text of a statement to the functions in [`functions`](mod@functions) and [`tumble`](mod@tumble);
//! [`physical_rule`] puts [`hop_exec`] or [`session_exec`] into the plan.

mod bins;
mod call;
mod date_bin;
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
mod tumble_function;
mod window_names;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;

pub(crate) use self::bins::{BinSize, Bins};
pub(crate) use self::date_bin::date_bin;
use self::functions::{WindowFunction, WindowKind};
pub(crate) use self::group_window::{GroupWindow, windowed};
pub(super) use self::guarded_rules::GuardedRule;
pub(crate) use self::hop::HopWindow;
pub(super) use self::physical_rule::WindowRule;
pub(super) use self::rewrite::expand_windows;
pub(crate) use self::session::SessionWindow;
use self::tumble::BIN_END;
pub(crate) use self::tumble::bin_end;
pub(super) use self::tumble_function::TumbleRule;
pub(crate) use self::tumble_function::expand_tumble;
use self::tumble_function::tumble;

/// The functions of windows: those that window calls are expanded to, and `tumble`.
pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let kinds = WindowKind::ALL.map(WindowFunction::udf);
    kinds.into_iter().chain([bin_end(), tumble()])
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
