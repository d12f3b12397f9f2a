//! The graph of splits and merges of a stream's shards, and which shards may be read.

mod families;
mod graph;

pub(crate) use self::families::families;
pub(crate) use self::graph::{Lineage, Stage, new_shards};
