//! Limits of the service, each with the page of AWS it comes from.

use std::time::Duration;

/// Records of one GetRecords (API reference, GetRecords, `Limit`).
pub const MAX_RECORDS_PER_FETCH: usize = 10_000;

/// Data of one GetRecords (API reference, GetRecords).
pub const MAX_BYTES_PER_FETCH: usize = 10 * MIB;

/// What a shard gives its polling readers in a second (Developer Guide, "Quotas and limits").
pub const READ_BYTES_PER_SECOND: usize = 2 * MIB;

/// Calls of GetRecords a shard takes in a second (Developer Guide, "Quotas and limits").
pub const FETCHES_PER_SECOND: u32 = 5;

/// Calls of GetShardIterator a shard takes in a second (API reference, GetShardIterator).
pub const ITERATORS_PER_SECOND: u32 = 5;

/// How long a shard iterator lives (API reference, GetShardIterator).
pub const ITERATOR_LIFETIME: Duration = Duration::from_secs(300);

/// How long a page token of ListShards lives (API reference, ListShards).
pub const NEXT_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// Shards on one page of ListShards (API reference, ListShards, `MaxResults`).
pub const MAX_SHARDS_PER_PAGE: usize = 1_000;

/// Entries of one PutRecords (API reference, PutRecords).
pub const MAX_RECORDS_PER_PUT: usize = 500;

/// Data and partition keys of one PutRecords (API reference, PutRecords).
pub const MAX_BYTES_PER_PUT: usize = 10 * MIB;

/// Records a shard takes in a second (Developer Guide, "Quotas and limits").
pub const WRITE_RECORDS_PER_SECOND: usize = 1_000;

/// Bytes a shard takes in a second (Developer Guide, "Quotas and limits").
pub const WRITE_BYTES_PER_SECOND: usize = MIB;

/// The largest record of a stream that was not set up for larger ones: data plus partition key
/// (API reference, PutRecords).
pub const DEFAULT_MAX_RECORD_BYTES: usize = MIB;

/// The largest record any stream can be set up for (API reference, UpdateMaxRecordSize).
pub const LARGEST_MAX_RECORD_BYTES: usize = 10 * MIB;

/// The longest partition key, in Unicode characters (API reference, PutRecords).
pub const MAX_PARTITION_KEY_CHARS: usize = 256;

/// How long records stay unless set otherwise, and the least that can be set (API reference,
/// DecreaseStreamRetentionPeriod).
pub const MIN_RETENTION: Duration = Duration::from_secs(24 * 3_600);

/// The longest time records can stay, 365 days (API reference, IncreaseStreamRetentionPeriod).
pub const MAX_RETENTION: Duration = Duration::from_secs(8_760 * 3_600);

/// Calls of DescribeStreamSummary an account has in a second (API reference).
pub const DESCRIBES_PER_SECOND: u32 = 20;

/// Calls of ListShards a stream takes in a second (API reference, ListShards).
pub const LISTINGS_PER_SECOND: u32 = 1_000;

/// Open shards UpdateShardCount can ask for (API reference, UpdateShardCount).
pub const MAX_TARGET_SHARDS: u32 = 10_000;

/// Shards of provisioned streams that an account has in one of the largest regions (Developer Guide,
/// "Quotas and limits").
pub const SHARDS_PER_ACCOUNT: usize = 20_000;

/// Tags that a stream has at most (API reference, TagResource).
pub const TAGS_PER_STREAM: usize = 50;

/// On-demand streams that an account has in a region (Developer Guide, "Quotas and limits").
pub const ON_DEMAND_STREAMS_PER_ACCOUNT: usize = 50;

/// Shards an on-demand stream begins with (Developer Guide, "Choose the data stream capacity mode").
pub const FIRST_ON_DEMAND_SHARDS: u32 = 4;

const MIB: usize = 1024 * 1024;
