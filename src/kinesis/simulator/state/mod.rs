//! What the simulated service stores: streams, shards, records, and the tokens it issues.

pub(in crate::kinesis) mod consumers;
pub(in crate::kinesis) mod rate_limits;
pub(in crate::kinesis) mod record_log;
pub(in crate::kinesis) mod reshard;
pub(in crate::kinesis) mod sequence_number;
#[cfg(feature = "simulator")]
pub(in crate::kinesis) mod settings;
pub(in crate::kinesis) mod shard;
pub(in crate::kinesis) mod shard_filter;
pub(in crate::kinesis) mod stream;
pub(in crate::kinesis) mod tokens;
