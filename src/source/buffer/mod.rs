//! Pages that were read ahead of batches, and how much of them the next batch takes.

mod budget;
mod planner;
mod shard_buffer;

pub(crate) use self::budget::Budget;
pub(crate) use self::planner::{Caps, PendingShard, plan};
pub(crate) use self::shard_buffer::{ShardBuffer, TakenRows};
