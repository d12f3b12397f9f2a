//! The state of a streaming `GROUP BY` between batches: plan rewrite, groups in memory, files.
//!
//! ```text
//!  Final ◀── StateExec ◀── Partial ◀── EventTimeExec ◀── … ◀── KinesisReadExec
//!               │ ▲                        │
//!      changed  ▼ │ touched                ▼ late rows, event time of each shard
//!            StateStore                StateBatch
//!               │ ▲
//!   each batch  ▼ │ restart
//!            files: a delta for each batch, a snapshot from time to time
//! ```
//!
//! State consists of the group columns and state columns of DataFusion's partial aggregates. It is kept in memory
//! ([`StateStore`]), and each batch writes its changes, so the cost of a batch depends on the groups it touches.

mod batch;
mod files;
mod logical;
mod memory;
mod physical;
mod read_state;
mod sampler;

pub(crate) use batch::StateBatch;
pub(crate) use files::AGGREGATION_SCHEMA_VERSION;
pub use files::StateFilesProgress;
pub(crate) use files::{FirstNeeded, StateDirectory, StatePurger};
pub(crate) use logical::{
    Attached, ExpiryColumn, NamePatterns, Streams, attach, expect_same_aggregation,
};
pub(crate) use memory::{BatchWatermarks, StateStore};
pub(crate) use physical::{
    StateRule, in_batch, run_stateful, stateful_node, stateful_session, with_memory_errors,
};
pub(crate) use read_state::install;
pub(crate) use sampler::GroupSampler;
pub use sampler::StateSample;
