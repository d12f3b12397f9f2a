//! Plain data types without I/O or async: streams, shards, positions, offsets, connections,
//! triggers.

mod connection;
mod consumer;
mod duration;
mod endpoint;
mod latency;
mod md5_lanes;
mod offsets;
mod position;
mod progress;
mod schema_id;
mod sequence_number;
mod shard;
mod stream;
mod time;
mod trigger;

pub use connection::{
    BaseCredentials, ConnectionSettings, CredentialSettings, ProxyLogin, ProxySettings,
    RetryPolicy, RoleSettings, Secret, StaticCredentials, WireFormat,
};
pub use consumer::{ConsumerArn, ConsumerLifecycle, ConsumerName};
pub(crate) use duration::{format_duration, parse_duration};
pub(crate) use endpoint::{is_aws_host, is_region, is_unencrypted, region_of_endpoint};
pub(crate) use latency::LatencyCounter;
pub use latency::LatencyHistogram;
pub(crate) use md5_lanes::md5_of_each;
pub(crate) use offsets::{Batch, InitialPositions, OperatorWatermarks, ShardRange, StreamRanges};
pub use offsets::{BatchId, Epoch, Offsets};
pub use position::{ShardPosition, StartingPosition};
pub(crate) use progress::{
    AGGREGATION, Committed, InputProgress, OperatorProgress, SnapshotFiles, StateFiles,
    aggregation_of,
};
pub(crate) use schema_id::SchemaId;
pub use sequence_number::SequenceNumber;
pub use shard::{HashKey, HashRange, Shard, ShardId};
pub use stream::{StreamIdentity, StreamName};
pub use time::{Clock, SystemClock, UnixMillis};
pub use trigger::{OutputMode, Trigger};
