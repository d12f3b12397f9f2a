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

mod batch;
mod files;
mod logical;
mod memory;
mod physical;
mod read_state;

pub(crate) use batch::StateBatch;
pub(crate) use files::AGGREGATION_SCHEMA_VERSION;
pub(crate) use files::{StateDirectory, StatePurger};
pub(crate) use logical::{
    Attached, ExpiryColumn, NamePatterns, Streams, attach, expect_same_aggregation,
};
pub(crate) use memory::{BatchWatermarks, StateStore};
pub(crate) use physical::{
    StateRule, beside_state, in_batch, run_stateful, stateful_node, stateful_session,
};
pub(crate) use read_state::install;
