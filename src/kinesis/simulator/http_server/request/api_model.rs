//! The supported operations and the members of their requests, from the Kinesis API model.

use super::pattern::Pattern::{self, Any, HashKey, Name, SequenceNumber};
use super::validation::Shape::{
    self, Blob, Boolean, Integer, List, Map, OneOf, Structure, Text, Timestamp,
};
use super::validation::{Member, optional, required};
use crate::kinesis::limits::{LARGEST_MAX_RECORD_BYTES, MAX_PARTITION_KEY_CHARS};

const INT: i64 = i32::MAX as i64;

const NAME: Shape = Text(1, 128, Name);
const ARN: Shape = Text(1, 2_048, Pattern::StreamArn);
const CONSUMER_ARN: Shape = Text(1, 2_048, Pattern::ConsumerArn);
const TOKEN: Shape = Text(1, 1_048_576, Any);
const NUMBER: Shape = Text(0, usize::MAX, SequenceNumber);
const HASH_KEY: Shape = Text(0, usize::MAX, HashKey);
const TAG_KEY: Shape = Text(1, 128, Any);
const TAG_VALUE: Shape = Text(0, 256, Any);
const TAGS: Shape = Map(1, 200, &TAG_KEY, &TAG_VALUE);
const TAG_KEYS: Shape = List(1, 50, &TAG_KEY);
const ENCRYPTION: Shape = OneOf(&["NONE", "KMS"]);
const KEY_ID: Shape = Text(1, 2_048, Any);
const MODE: Shape = Structure(&[required("StreamMode", OneOf(&["PROVISIONED", "ON_DEMAND"]))]);
const COMMITMENT: Shape = Structure(&[required("Status", OneOf(&["ENABLED", "DISABLED"]))]);
const DISTRIBUTION: Shape = OneOf(&["AUTO", "USER_PARTITION_KEY"]);
const MAX_RECORD_KIB: Shape = Integer(1_024, 10_240);
const DATA: Shape = Blob(LARGEST_MAX_RECORD_BYTES);
const PARTITION_KEY: Shape = Text(1, MAX_PARTITION_KEY_CHARS, Any);
const METRICS: Shape = List(
    1,
    7,
    &OneOf(&[
        "IncomingBytes",
        "IncomingRecords",
        "OutgoingBytes",
        "OutgoingRecords",
        "WriteProvisionedThroughputExceeded",
        "ReadProvisionedThroughputExceeded",
        "IteratorAgeMilliseconds",
        "ALL",
    ]),
);
const ENTRY: Shape = Structure(&[
    required("Data", DATA),
    optional("ExplicitHashKey", HASH_KEY),
    optional("PartitionKey", PARTITION_KEY),
]);
const SHARD_FILTER: Shape = Structure(&[
    required(
        "Type",
        OneOf(&[
            "AFTER_SHARD_ID",
            "AT_TRIM_HORIZON",
            "FROM_TRIM_HORIZON",
            "AT_LATEST",
            "AT_TIMESTAMP",
            "FROM_TIMESTAMP",
        ]),
    ),
    optional("ShardId", NAME),
    optional("Timestamp", Timestamp),
]);

const POSITION_TYPE: Shape = OneOf(&[
    "AT_SEQUENCE_NUMBER",
    "AFTER_SEQUENCE_NUMBER",
    "TRIM_HORIZON",
    "LATEST",
    "AT_TIMESTAMP",
]);
const STARTING_POSITION: Shape = Structure(&[
    required("Type", POSITION_TYPE),
    optional("SequenceNumber", NUMBER),
    optional("Timestamp", Timestamp),
]);

const STREAM_NAME: Member = optional("StreamName", NAME);
const STREAM_ARN: Member = optional("StreamARN", ARN);
const THE_STREAM_ARN: Member = required("StreamARN", ARN);
/// The service does not use it yet; it is ignored.
const STREAM_ID: Member = optional("StreamId", Text(1, 24, Pattern::StreamId));
const RESOURCE: Member = required("ResourceARN", Text(1, 2_048, Pattern::ResourceArn));
const DRY_RUN: Member = optional("DryRun", Boolean);

/// The request members of `operation`; `None` if it is not supported.
pub(in crate::kinesis) fn members_of(operation: &str) -> Option<&'static [Member]> {
    let found = OPERATIONS.iter().find(|(name, _)| *name == operation);
    found.map(|(_, members)| *members)
}

const OPERATIONS: &[(&str, &[Member])] = &[
    (
        "CreateStream",
        &[
            required("StreamName", NAME),
            optional("ShardCount", Integer(1, INT)),
            optional("StreamModeDetails", MODE),
            optional("Tags", TAGS),
            optional("WarmThroughputMiBps", Integer(0, INT)),
            optional("MaxRecordSizeInKiB", MAX_RECORD_KIB),
            optional("RecordDistributionStrategy", DISTRIBUTION),
        ],
    ),
    (
        "DecreaseStreamRetentionPeriod",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("RetentionPeriodHours", Integer(i64::MIN, i64::MAX)),
        ],
    ),
    (
        "DeleteStream",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            optional("EnforceConsumerDeletion", Boolean),
        ],
    ),
    ("DescribeLimits", &[]),
    (
        "DescribeStream",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            optional("Limit", Integer(1, 10_000)),
            optional("ExclusiveStartShardId", NAME),
        ],
    ),
    (
        "DescribeStreamSummary",
        &[STREAM_NAME, STREAM_ARN, STREAM_ID],
    ),
    (
        "ListShards",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            optional("NextToken", TOKEN),
            optional("ExclusiveStartShardId", NAME),
            optional("MaxResults", Integer(1, 10_000)),
            optional("StreamCreationTimestamp", Timestamp),
            optional("ShardFilter", SHARD_FILTER),
        ],
    ),
    (
        "GetRecords",
        &[
            required("ShardIterator", Text(1, 512, Any)),
            optional("Limit", Integer(1, 10_000)),
            STREAM_ARN,
            STREAM_ID,
            DRY_RUN,
        ],
    ),
    (
        "GetShardIterator",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("ShardId", NAME),
            required("ShardIteratorType", POSITION_TYPE),
            optional("StartingSequenceNumber", NUMBER),
            optional("Timestamp", Timestamp),
            DRY_RUN,
        ],
    ),
    (
        "IncreaseStreamRetentionPeriod",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("RetentionPeriodHours", Integer(i64::MIN, i64::MAX)),
        ],
    ),
    (
        "ListStreams",
        &[
            optional("Limit", Integer(1, 10_000)),
            optional("ExclusiveStartStreamName", NAME),
            optional("NextToken", TOKEN),
        ],
    ),
    (
        "MergeShards",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("ShardToMerge", NAME),
            required("AdjacentShardToMerge", NAME),
        ],
    ),
    (
        "PutRecord",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("Data", DATA),
            optional("PartitionKey", PARTITION_KEY),
            optional("ExplicitHashKey", HASH_KEY),
            optional("SequenceNumberForOrdering", NUMBER),
            DRY_RUN,
        ],
    ),
    (
        "PutRecords",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("Records", List(1, 500, &ENTRY)),
            DRY_RUN,
        ],
    ),
    (
        "SplitShard",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("ShardToSplit", NAME),
            required("NewStartingHashKey", HASH_KEY),
        ],
    ),
    (
        "UpdateMaxRecordSize",
        &[
            STREAM_ARN,
            STREAM_ID,
            required("MaxRecordSizeInKiB", MAX_RECORD_KIB),
        ],
    ),
    (
        "UpdateShardCount",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("TargetShardCount", Integer(1, INT)),
            required("ScalingType", OneOf(&["UNIFORM_SCALING"])),
        ],
    ),
    (
        "UpdateStreamRecordDistributionStrategy",
        &[
            THE_STREAM_ARN,
            STREAM_ID,
            required("RecordDistributionStrategy", DISTRIBUTION),
        ],
    ),
    (
        "AddTagsToStream",
        &[STREAM_NAME, STREAM_ARN, STREAM_ID, required("Tags", TAGS)],
    ),
    ("DeleteResourcePolicy", &[RESOURCE, STREAM_ID]),
    (
        "DeregisterStreamConsumer",
        &[
            STREAM_ARN,
            optional("ConsumerName", NAME),
            optional("ConsumerARN", CONSUMER_ARN),
            STREAM_ID,
        ],
    ),
    ("DescribeAccountSettings", &[]),
    (
        "DescribeStreamConsumer",
        &[
            STREAM_ARN,
            optional("ConsumerName", NAME),
            optional("ConsumerARN", CONSUMER_ARN),
            STREAM_ID,
        ],
    ),
    (
        "DisableEnhancedMonitoring",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("ShardLevelMetrics", METRICS),
        ],
    ),
    (
        "EnableEnhancedMonitoring",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("ShardLevelMetrics", METRICS),
        ],
    ),
    ("GetResourcePolicy", &[RESOURCE, STREAM_ID]),
    (
        "ListStreamConsumers",
        &[
            THE_STREAM_ARN,
            optional("NextToken", TOKEN),
            optional("MaxResults", Integer(1, 10_000)),
            optional("StreamCreationTimestamp", Timestamp),
            STREAM_ID,
        ],
    ),
    ("ListTagsForResource", &[RESOURCE, STREAM_ID]),
    (
        "ListTagsForStream",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            optional("ExclusiveStartTagKey", TAG_KEY),
            optional("Limit", Integer(1, 50)),
        ],
    ),
    (
        "PutResourcePolicy",
        &[
            RESOURCE,
            STREAM_ID,
            required("Policy", Text(0, usize::MAX, Any)),
        ],
    ),
    (
        "RegisterStreamConsumer",
        &[
            THE_STREAM_ARN,
            required("ConsumerName", NAME),
            STREAM_ID,
            optional("Tags", TAGS),
        ],
    ),
    (
        "RemoveTagsFromStream",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("TagKeys", TAG_KEYS),
        ],
    ),
    (
        "StartStreamEncryption",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("EncryptionType", ENCRYPTION),
            required("KeyId", KEY_ID),
        ],
    ),
    (
        "StopStreamEncryption",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("EncryptionType", ENCRYPTION),
            required("KeyId", KEY_ID),
        ],
    ),
    (
        "SubscribeToShard",
        &[
            required("ConsumerARN", CONSUMER_ARN),
            STREAM_ID,
            required("ShardId", NAME),
            required("StartingPosition", STARTING_POSITION),
            DRY_RUN,
        ],
    ),
    (
        "TagResource",
        &[RESOURCE, STREAM_ID, required("Tags", TAGS)],
    ),
    (
        "UntagResource",
        &[RESOURCE, STREAM_ID, required("TagKeys", TAG_KEYS)],
    ),
    (
        "UpdateAccountSettings",
        &[required("MinimumThroughputBillingCommitment", COMMITMENT)],
    ),
    (
        "UpdateStreamMode",
        &[
            THE_STREAM_ARN,
            STREAM_ID,
            required("StreamModeDetails", MODE),
            optional("WarmThroughputMiBps", Integer(0, INT)),
        ],
    ),
    (
        "UpdateStreamWarmThroughput",
        &[
            STREAM_NAME,
            STREAM_ARN,
            STREAM_ID,
            required("WarmThroughputMiBps", Integer(0, INT)),
        ],
    ),
];
