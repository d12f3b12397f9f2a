//! The state of a query on its way to and from files.
//!
//! A file is Arrow IPC, compressed with zstd: group columns and state columns as the plan has them, so
//! that another number of partitions can take them in. Its name ends with the MD5 of what is in it: who
//! reads it sees whether that is what was written.

mod compatibility;
mod directory;
mod encoding;
mod hash_vectors;
mod snapshot;

pub(crate) use directory::{StateDirectory, StatePurger};
pub(crate) use encoding::AGGREGATION_SCHEMA_VERSION;
