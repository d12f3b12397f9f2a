//! Tests of committers, of the log over them, and of their failures.

mod billed;
mod conformance;
#[cfg(feature = "dynamodb")]
mod dynamo;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod faulty;
#[cfg(feature = "hdfs")]
mod hdfs;
mod identity;
mod local;
mod location;
mod log;
#[cfg(target_os = "linux")]
mod mounted;
mod progress;
mod purging;
#[cfg(all(feature = "aws", feature = "simulator"))]
mod s3;
mod tampering;
mod test_location;

use std::collections::BTreeMap;
use std::time::Duration;

#[cfg(feature = "dynamodb")]
use bytes::Bytes;

use super::*;
use crate::model::{
    AGGREGATION, Batch, BatchId, Committed, Epoch, InitialPositions, InputProgress, Offsets,
    OperatorProgress, RetryPolicy, ShardId, ShardPosition, ShardRange, StartingPosition,
    StateFiles, StreamIdentity, StreamName, StreamRanges, UnixMillis,
};

pub(crate) use conformance::skipped;
pub(crate) use faulty::{Fault, FaultyCommitter};
pub(crate) use test_location::TestLocation;

const RETRY: RetryPolicy = RetryPolicy {
    max_retries: 5,
    first_interval: Duration::from_millis(10),
    max_interval: Duration::from_millis(100),
};

/// Less than any epoch.
const NONE: Epoch = Epoch(0);

/// The checkpoint of a run of a query, whose run id comes from `seed`.
fn start(committer: Arc<dyn OffsetCommitter>, seed: u64) -> Checkpoint {
    Checkpoint::new(committer, RETRY, 3, fastrand::Rng::with_seed(seed))
}

/// A batch of `shards` shards, every fourth of which has nothing to read.
fn batch(id: u64, shards: u64) -> Batch {
    let place = |text: String| text.parse::<ShardPosition>().unwrap();
    let ranges = (0..shards).map(|shard| {
        let after = place(format!("AFTER 4959033827149025660855969253836157{:08}", id));
        let upto = place(format!(
            "AFTER 4959033827149025660855969253836157{:08}.7",
            id + 1
        ));
        let range = match shard % 4 {
            0 => ShardRange::empty(after),
            _ => ShardRange {
                after,
                upto,
                rows: Some(shard),
            },
        };
        (ShardId::new(format!("shardId-{shard:012}")), range)
    });
    Batch {
        id: BatchId(id),
        time: UnixMillis(1_700_000_000_000 + i64::try_from(id).unwrap()),
        watermarks: BTreeMap::new(),
        sources: vec![StreamRanges {
            stream: StreamName::new("clicks").unwrap(),
            created_at: Some(UnixMillis(1_600_000_000_007)),
            read_to: Some(UnixMillis(1_699_999_999_990)),
            retention: Some(Duration::from_secs(48 * 3_600)),
            shards: ranges.collect(),
        }],
    }
}

/// The commit of a batch of a query with GROUP BY.
fn aggregated(input: InputProgress, files: Option<StateFiles>) -> Committed {
    let operator = OperatorProgress {
        id: AGGREGATION.to_owned(),
        kind: AGGREGATION.to_owned(),
        schema_version: 1,
        inputs: vec![input],
        files,
    };
    Committed {
        last_arrival: None,
        operators: vec![operator],
    }
}

fn metadata(id: &str) -> QueryMetadata {
    let shard = ShardId::new("shardId-000000000000");
    let offsets = Offsets::from([(shard, "AT 17".parse().unwrap())]);
    let start = StartingPosition::PerShard(offsets);
    let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks";
    let source = |stream| SourceMetadata {
        stream: StreamIdentity::parse(stream).unwrap(),
        created_at: UnixMillis(1_600_000_000_007),
        retention: Some(Duration::from_secs(24 * 3_600)),
        start: InitialPositions::resolve(&start, UnixMillis(5)),
    };
    QueryMetadata {
        id: id.to_owned(),
        created_at: UnixMillis(1_700_000_000_001),
        sources: vec![source(arn), source("words")],
        runs: QueryText {
            sink: "KinesisSink[word_counts]".to_owned(),
            statement: Some("INSERT INTO word_counts SELECT * FROM words".to_owned()),
        },
        operators: Vec::new(),
    }
}
