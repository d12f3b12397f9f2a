//! How the shards of a stream descend from one another, and which of them may be read.

mod families;
mod graph;

pub(crate) use self::families::families;
pub(crate) use self::graph::{Lineage, Stage, new_shards};
