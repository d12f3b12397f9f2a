//! The nodes between the two steps of an aggregation by windows.

mod hop;
mod session;

pub(super) use hop::HopExec;
pub(super) use session::SessionExec;
