//! Uses a log as a streaming query does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Failure, NewLog, Outcome, ensure, expect};
use crate::checkpoint::committer::Log;
use crate::checkpoint::log::{Checkpoint, Logged, Recovered};
use crate::error::ErrorKind;
use crate::model::{
    Batch, BatchId, Committed, RetryPolicy, ShardId, ShardPosition, ShardRange, StreamName,
    StreamRanges, UnixMillis,
};

const RETRY: RetryPolicy = RetryPolicy {
    max_retries: 10,
    first_interval: Duration::from_millis(10),
    max_interval: Duration::from_millis(100),
};

/// How many batches a purge leaves.
pub(super) const RETAINED: u64 = 3;

/// The shards of the largest entry.
const MANY_SHARDS: u64 = 10_000;

/// The checkpoint of a start of the query, which draws its run from `seed`.
pub(super) async fn start(log: &NewLog, seed: u64) -> Result<Checkpoint, Failure> {
    let committer = log.open().await?.0;
    let random = fastrand::Rng::with_seed(seed);
    Ok(Checkpoint::new(committer, RETRY, RETAINED, random))
}

/// A batch over `shards` shards, every fourth of which has nothing to read.
pub(super) fn batch(id: u64, shards: u64) -> Result<Batch, Failure> {
    let position = |text: String| -> Result<ShardPosition, Failure> {
        text.parse().map_err(|error| Failure(format!("{error}")))
    };
    let mut ranges = BTreeMap::new();
    for shard in 0..shards {
        let after = position(format!("AFTER 4959033827149025660855969253836157{id:08}"))?;
        let next = id + 1;
        let upto = position(format!(
            "AFTER 4959033827149025660855969253836157{next:08}.7"
        ))?;
        let rows = Some(shard);
        let range = match shard % 4 {
            0 => ShardRange::empty(after),
            _ => ShardRange { after, upto, rows },
        };
        ranges.insert(ShardId::new(format!("shardId-{shard:012}")), range);
    }
    Ok(Batch {
        id: BatchId(id),
        time: UnixMillis(1_700_000_000_000),
        watermarks: BTreeMap::new(),
        sources: vec![StreamRanges {
            stream: StreamName::new("clicks")?,
            created_at: Some(UnixMillis(1_600_000_000_007)),
            read_to: Some(UnixMillis(1_699_999_999_990)),
            retention: Some(Duration::from_secs(48 * 3_600)),
            shards: ranges,
        }],
    })
}

/// Plans a batch.
pub(super) async fn plan(query: &Checkpoint, id: u64) -> Outcome {
    let logged = query.log_offsets(&batch(id, 3)?).await?;
    expect("planning a batch", logged, Logged::Done)
}

/// Commits a batch.
pub(super) async fn commit(query: &Checkpoint, id: u64) -> Outcome {
    let nothing = Committed::default();
    let logged = query
        .log_commit(BatchId(id), UnixMillis(1), &nothing)
        .await?;
    expect("committing a batch", logged, Logged::Done)
}

/// Checks that a start finds `id` as the newest batch.
pub(super) async fn expect_newest(query: &mut Checkpoint, id: u64, committed: bool) -> Outcome {
    let recovered = query.take_over().await?;
    let expected = Recovered {
        batch: batch(id, 3)?,
        committed,
        before: Committed::default(),
    };
    expect("the newest batch", recovered, Some(expected))
}

pub(super) async fn resumes(log: NewLog) -> Outcome {
    const BATCHES: u64 = 12;
    let mut query = start(&log, 1).await?;
    expect("the newest batch", query.take_over().await?, None)?;
    for id in 0..BATCHES {
        plan(&query, id).await?;
        expect_newest(&mut start(&log, 2).await?, id, false).await?;
        query.take_over().await?;
        commit(&query, id).await?;
        query.purge(BatchId(id)).await;
    }
    let listed = log.open().await?.batches(Log::Offsets).await?;
    let retained: Vec<BatchId> = (BATCHES - RETAINED..BATCHES).map(BatchId).collect();
    expect("offsets after purges", listed, retained)?;
    expect_newest(&mut start(&log, 2).await?, BATCHES - 1, true).await?;
    let fenced = query.log_offsets(&batch(BATCHES, 3)?).await;
    let kind = fenced.as_ref().map_err(crate::error::Error::kind);
    ensure!(
        kind == Err(ErrorKind::Fenced),
        "expected the older start to be fenced, found {fenced:?}"
    );
    Ok(())
}

pub(super) async fn large_entry(log: NewLog) -> Outcome {
    let mut query = start(&log, 1).await?;
    query.take_over().await?;
    let batch = batch(0, MANY_SHARDS)?;
    let logged = query.log_offsets(&batch).await?;
    expect("planning a batch", logged, Logged::Done)?;
    let recovered = query.take_over().await?;
    let is_whole = recovered.is_some_and(|recovered| recovered.batch == batch);
    ensure!(
        is_whole,
        "the entry of {MANY_SHARDS} shards did not come back whole"
    );
    Ok(())
}
