//! State between the batches of a streaming `GROUP BY`.
//!
//! ```text
//!  Final ◀── StateExec ◀── Partial ◀── EventTimeExec ◀── … ◀── KinesisReadExec
//!               │ ▲                        │
//!      changed  ▼ │ touched                ▼ late rows, how far each shard has come
//!            StateStore                StateBatch
//!               │ ▲
//!        batch  ▼ │ start
//!            files: a delta for each batch, a snapshot from time to time
//! ```
//!
//! State is what DataFusion's partial aggregates give: group columns and state columns. It stays in
//! memory ([`StateStore`]) and is written as it changes; a batch pays for the groups that it touches.

mod attach;
mod batch;
mod closing;
mod described;
mod event_time;
mod event_time_exec;
mod exec;
mod expiry;
mod files;
mod grouping;
mod groups;
mod mismatch;
mod names;
mod origins;
mod planner;
mod read_state;
mod restore;
mod rewrite;
mod running;
mod session;
mod store;
mod whole;

pub(crate) use attach::{Attached, Streams, attach};
pub(crate) use batch::StateBatch;
pub(crate) use closing::Closing;
pub use event_time_exec::EventTimeExec;
pub use exec::StateExec;
pub(crate) use files::{StateDirectory, StatePurger};
pub(crate) use mismatch::{Renamed, refuse_other};
pub(crate) use read_state::install;
pub(crate) use rewrite::StateRule;
pub(crate) use running::{beside_state, run_stateful, stateful_node};
pub(crate) use session::{in_batch, stateful_session};
pub(crate) use store::StateStore;
