//! Service limits, each with its source in the AWS documentation.

use std::time::Duration;

/// The most records in one GetRecords (API reference, GetRecords, `Limit`).
pub const MAX_RECORDS_PER_FETCH: usize = 10_000;

/// The most bytes in one GetRecords (API reference, GetRecords).
pub const MAX_BYTES_PER_FETCH: usize = 10 * MIB;

/// The bytes per second that a shard serves to all its polling readers together (Developer Guide,
/// "Quotas and limits").
pub const READ_BYTES_PER_SECOND: usize = 2 * MIB;

/// GetRecords calls per second and shard (Developer Guide, "Quotas and limits").
pub const FETCHES_PER_SECOND: u32 = 5;

/// GetShardIterator calls per second and shard (API reference, GetShardIterator).
pub const ITERATORS_PER_SECOND: u32 = 5;

/// How long a shard iterator is valid (API reference, GetShardIterator).
pub const ITERATOR_LIFETIME: Duration = Duration::from_secs(300);

/// How long a page token of ListShards is valid (API reference, ListShards).
pub const NEXT_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// The most shards on one page of ListShards (API reference, ListShards, `MaxResults`).
pub const MAX_SHARDS_PER_PAGE: usize = 1_000;

/// The most entries in one PutRecords (API reference, PutRecords).
pub const MAX_RECORDS_PER_PUT: usize = 500;

/// The most bytes of data and partition keys in one PutRecords (API reference, PutRecords).
pub const MAX_BYTES_PER_PUT: usize = 10 * MIB;

/// Records per second that a shard accepts (Developer Guide, "Quotas and limits").
pub const WRITE_RECORDS_PER_SECOND: usize = 1_000;

/// Bytes per second that a shard accepts (Developer Guide, "Quotas and limits").
pub const WRITE_BYTES_PER_SECOND: usize = MIB;

/// The largest record by default, in bytes: data plus partition key (API reference, PutRecords).
pub const DEFAULT_MAX_RECORD_BYTES: usize = MIB;

/// The largest record that a stream can be configured for, in bytes (API reference,
/// UpdateMaxRecordSize).
pub const LARGEST_MAX_RECORD_BYTES: usize = 10 * MIB;

/// The longest partition key, in Unicode characters (API reference, PutRecords).
pub const MAX_PARTITION_KEY_CHARS: usize = 256;

/// The default retention, which is also the minimum (API reference, DecreaseStreamRetentionPeriod).
pub const MIN_RETENTION: Duration = Duration::from_secs(24 * 3_600);

/// The longest retention, 365 days (API reference, IncreaseStreamRetentionPeriod).
pub const MAX_RETENTION: Duration = Duration::from_secs(8_760 * 3_600);

/// DescribeStreamSummary calls per second and account (API reference).
pub const DESCRIBES_PER_SECOND: u32 = 20;

/// ListShards calls per second and stream (API reference, ListShards).
pub const LISTINGS_PER_SECOND: u32 = 1_000;

/// The most open shards that UpdateShardCount accepts as a target (API reference,
/// UpdateShardCount).
pub const MAX_TARGET_SHARDS: u32 = 10_000;

/// Shards of provisioned streams per account in one of the largest regions (Developer Guide,
/// "Quotas and limits").
pub const SHARDS_PER_ACCOUNT: usize = 20_000;

/// The most tags per stream (API reference, TagResource).
pub const TAGS_PER_STREAM: usize = 50;

/// On-demand streams per account and region (Developer Guide, "Quotas and limits").
pub const ON_DEMAND_STREAMS_PER_ACCOUNT: usize = 50;

/// The initial number of shards of an on-demand stream (Developer Guide, "Choose the data stream
/// capacity mode").
pub const FIRST_ON_DEMAND_SHARDS: u32 = 4;

const MIB: usize = 1024 * 1024;
