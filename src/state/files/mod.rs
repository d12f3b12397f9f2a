//! The files of a state: encoding, snapshots, deletion, and the checks before they are read.
//!
//! A file is Arrow IPC compressed with zstd, with the group columns and state columns of the plan, so it can be loaded
//! into any number of partitions. Its name contains the MD5 of its content, which a reader verifies.

mod compatibility;
mod directory;
mod encoding;
mod hash_vectors;
mod sized;
mod snapshot;

pub(crate) use directory::{FirstNeeded, StateDirectory, StatePurger};
pub(crate) use encoding::AGGREGATION_SCHEMA_VERSION;
pub use sized::StateFilesProgress;
