//! JSON forms of shards, streams and settings.

use serde_json::{Map, Number, Value, json};

use crate::kinesis::simulator::operations::settings::DescribedSettings;
use crate::kinesis::simulator::state::settings::ShardMetric;
use crate::kinesis::{
    ChildShard, ConsumerStatus, ConsumerSummary, RecordDistribution, StreamMode, StreamStatus,
    StreamSummary,
};
use crate::model::{HashRange, Shard, ShardId, UnixMillis};

pub(super) fn shard(shard: &Shard) -> Value {
    let mut sequence_range = Map::new();
    let starting = shard.starting_sequence.as_str();
    sequence_range.insert("StartingSequenceNumber".into(), starting.into());
    if let Some(ending) = &shard.ending_sequence {
        sequence_range.insert("EndingSequenceNumber".into(), ending.as_str().into());
    }
    let mut members = Map::new();
    members.insert("ShardId".into(), shard.id.as_str().into());
    let parents = [
        ("ParentShardId", &shard.parent),
        ("AdjacentParentShardId", &shard.adjacent_parent),
    ];
    for (name, parent) in parents {
        if let Some(parent) = parent {
            members.insert(name.into(), parent.as_str().into());
        }
    }
    members.insert("HashKeyRange".into(), hash_range(&shard.hash_range));
    members.insert("SequenceNumberRange".into(), sequence_range.into());
    members.into()
}

pub(super) fn child(child: &ChildShard) -> Value {
    let parents: Vec<_> = child.parents.iter().map(ShardId::as_str).collect();
    json!({
        "ShardId": child.id.as_str(),
        "ParentShards": parents,
        "HashKeyRange": hash_range(&child.hash_range),
    })
}

fn hash_range(range: &HashRange) -> Value {
    json!({
        "StartingHashKey": range.start.to_string(),
        "EndingHashKey": range.end.to_string(),
    })
}

pub(super) fn consumer(consumer: &ConsumerSummary) -> Map<String, Value> {
    let status = match consumer.status {
        ConsumerStatus::Creating => "CREATING",
        ConsumerStatus::Active => "ACTIVE",
        ConsumerStatus::Deleting => "DELETING",
    };
    let members: [(&str, Value); 4] = [
        ("ConsumerName", consumer.name.as_str().into()),
        ("ConsumerARN", consumer.arn.as_str().into()),
        ("ConsumerStatus", status.into()),
        ("ConsumerCreationTimestamp", time(consumer.created_at)),
    ];
    let members = members.map(|(name, value)| (name.to_owned(), value));
    members.into_iter().collect()
}

/// The members that all descriptions of a stream share.
pub(super) fn stream(summary: &StreamSummary, mode: StreamMode) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("StreamName".into(), summary.stream.name().as_str().into());
    members.insert("StreamARN".into(), summary.stream.arn().into());
    members.insert("StreamStatus".into(), status(summary.status).into());
    let mode = match mode {
        StreamMode::Provisioned => "PROVISIONED",
        StreamMode::OnDemand => "ON_DEMAND",
    };
    members.insert("StreamModeDetails".into(), json!({ "StreamMode": mode }));
    let created_at = time(summary.created_at);
    members.insert("StreamCreationTimestamp".into(), created_at);
    members
}

/// The description of a stream with its settings.
pub(super) fn settings(
    summary: &StreamSummary,
    mode: StreamMode,
    settings: &DescribedSettings,
) -> Map<String, Value> {
    let mut members = stream(summary, mode);
    let hours = summary.retention.as_secs() / 3_600;
    members.insert("RetentionPeriodHours".into(), hours.into());
    let monitoring = json!([{ "ShardLevelMetrics": metrics(&settings.metrics) }]);
    members.insert("EnhancedMonitoring".into(), monitoring);
    let encryption = match &settings.kms_key {
        None => "NONE",
        Some(key) => {
            members.insert("KeyId".into(), key.as_str().into());
            "KMS"
        }
    };
    members.insert("EncryptionType".into(), encryption.into());
    members
}

pub(super) fn metrics(metrics: &[ShardMetric]) -> Value {
    metrics.iter().map(|metric| metric.name()).collect()
}

pub(super) fn warm_throughput(mib_per_second: u32) -> Value {
    json!({ "TargetMiBps": mib_per_second, "CurrentMiBps": mib_per_second })
}

fn status(status: StreamStatus) -> &'static str {
    match status {
        StreamStatus::Creating => "CREATING",
        StreamStatus::Active => "ACTIVE",
        StreamStatus::Updating => "UPDATING",
        StreamStatus::Deleting => "DELETING",
    }
}

pub(super) fn distribution(distribution: RecordDistribution) -> &'static str {
    match distribution {
        RecordDistribution::PartitionKey => "USER_PARTITION_KEY",
        RecordDistribution::Service => "AUTO",
    }
}

/// Seconds with a fraction of milliseconds.
pub(super) fn time(time: UnixMillis) -> Value {
    Number::from_f64(time.0 as f64 / 1_000.0).map_or(Value::Null, Value::Number)
}
