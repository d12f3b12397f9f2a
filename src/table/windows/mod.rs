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

mod bin;
mod call;
mod exec;
mod functions;
mod group;
mod guard;
mod hop;
mod install;
mod rule;
mod session;
mod steps;
mod syntax;

pub(crate) use bin::{BinSize, Bins, bin_end};
pub(crate) use group::{GroupWindow, windowed};
pub(crate) use hop::HopWindow;
pub(super) use install::{install, know_ends};
pub(crate) use session::SessionWindow;
pub(super) use syntax::write_out;

#[cfg(test)]
mod tests;
