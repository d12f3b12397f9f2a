//! The API operations of the simulator, one file per operation or group of operations.

#[cfg(feature = "simulator")]
pub(in crate::kinesis) mod account_settings;
pub(in crate::kinesis) mod consumers;
pub(in crate::kinesis) mod describe;
pub(in crate::kinesis) mod get_records;
pub(in crate::kinesis) mod get_shard_iterator;
pub(in crate::kinesis) mod list_shards;
#[cfg(feature = "simulator")]
pub(in crate::kinesis) mod list_streams;
pub(in crate::kinesis) mod put_records;
pub(in crate::kinesis) mod reshard;
#[cfg(feature = "simulator")]
pub(in crate::kinesis) mod settings;
pub(in crate::kinesis) mod shard_subscription;
pub(in crate::kinesis) mod streams;
pub(in crate::kinesis) mod subscribe_to_shard;
#[cfg(feature = "simulator")]
pub(in crate::kinesis) mod tags;
