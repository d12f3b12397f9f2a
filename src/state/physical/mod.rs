//! The physical plan of a batch with state: the optimizer rule that makes an aggregation stateful, and its nodes.

mod event_time_exec;
mod planner;
mod restore_exec;
mod rule;
mod run;
mod session;
mod state_exec;

pub(crate) use rule::StateRule;
pub(crate) use run::{run_stateful, stateful_node, with_memory_errors};
pub(crate) use session::{in_batch, stateful_session};
