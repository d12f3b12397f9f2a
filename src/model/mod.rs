//! Plain data of a stream: no I/O, no async, nothing of the engine but Arrow types.

mod hash;
mod position;
mod shard;
mod stream;
mod time;

pub use position::{SequenceNumber, ShardPosition, StartingPosition};
pub use shard::{HashKey, HashRange, Shard, ShardId};
pub use stream::{StreamIdentity, StreamName};
pub use time::{Clock, SystemClock, UnixMillis};
