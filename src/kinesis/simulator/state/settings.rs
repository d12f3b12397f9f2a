//! Stream settings that the simulator stores and shows but that change nothing else.

use std::collections::{BTreeMap, BTreeSet};

/// Tags, ordered by key.
pub(in crate::kinesis) type Tags = BTreeMap<String, String>;

/// Settings that have no effect on shards or records.
#[derive(Debug, Default)]
pub(in crate::kinesis) struct Settings {
    pub(in crate::kinesis) tags: Tags,
    pub(in crate::kinesis) policy: Option<String>,
    pub(in crate::kinesis) kms_key: Option<String>,
    pub(in crate::kinesis) metrics: BTreeSet<ShardMetric>,
    pub(in crate::kinesis) warm_mib_per_second: Option<u32>,
}

/// A shard-level metric. The simulator publishes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::kinesis) enum ShardMetric {
    IncomingBytes,
    IncomingRecords,
    OutgoingBytes,
    OutgoingRecords,
    WriteProvisionedThroughputExceeded,
    ReadProvisionedThroughputExceeded,
    IteratorAgeMilliseconds,
}

impl ShardMetric {
    pub(in crate::kinesis) const ALL: [Self; 7] = [
        Self::IncomingBytes,
        Self::IncomingRecords,
        Self::OutgoingBytes,
        Self::OutgoingRecords,
        Self::WriteProvisionedThroughputExceeded,
        Self::ReadProvisionedThroughputExceeded,
        Self::IteratorAgeMilliseconds,
    ];

    /// The name in the API.
    pub(in crate::kinesis) fn name(self) -> &'static str {
        match self {
            Self::IncomingBytes => "IncomingBytes",
            Self::IncomingRecords => "IncomingRecords",
            Self::OutgoingBytes => "OutgoingBytes",
            Self::OutgoingRecords => "OutgoingRecords",
            Self::WriteProvisionedThroughputExceeded => "WriteProvisionedThroughputExceeded",
            Self::ReadProvisionedThroughputExceeded => "ReadProvisionedThroughputExceeded",
            Self::IteratorAgeMilliseconds => "IteratorAgeMilliseconds",
        }
    }
}
