//! Pages that were read ahead of the batches that take them, and how much the next batch takes.

mod budget;
mod planner;
mod shard_buffer;

pub(crate) use self::budget::Budget;
pub(crate) use self::planner::{Caps, Waiting, plan};
pub(crate) use self::shard_buffer::{ShardBuffer, Taken};
