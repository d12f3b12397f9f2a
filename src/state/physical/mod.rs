//! The physical plan of a batch with state: the optimizer rule that makes an aggregation stateful, and its nodes.

mod event_time_exec;
mod planner;
mod restore_exec;
mod rule;
mod run;
mod session;
mod state_exec;

pub(crate) use rule::StateRule;
pub(crate) use run::{beside_state, run_stateful, stateful_node};
pub(crate) use session::{in_batch, stateful_session};
