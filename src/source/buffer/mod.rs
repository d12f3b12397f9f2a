//! Buffers pages ahead of batches, and plans how many of their rows the next batch takes.

mod budget;
mod planner;
mod shard_buffer;

pub(crate) use self::budget::Budget;
pub(crate) use self::planner::{Caps, PendingShard, plan};
pub(crate) use self::shard_buffer::{ShardBuffer, TakenRows};
