//! Old entries are removed while others are written and read.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::handle::{Handle, entry};
use super::queries::{commit, expect_newest, plan, start};
use super::{Failure, NewLog, Outcome, ensure, expect};
use crate::checkpoint::committer::Log;
use crate::model::BatchId;

pub(super) async fn gaps(log: NewLog) -> Outcome {
    let mut query = start(&log, 1).await?;
    query.take_over().await?;
    for id in 0..8 {
        plan(&query, id).await?;
        commit(&query, id).await?;
    }
    let other = log.open().await?;
    for (log, gap) in [(Log::Commits, 1), (Log::Offsets, 3), (Log::Commits, 3)] {
        other.remove(log, BatchId(gap)).await?;
    }
    for _ in 0..2 {
        query.purge(BatchId(7)).await;
        for log in [Log::Offsets, Log::Commits] {
            let listed = other.batches(log).await?;
            expect(
                "entries after a purge",
                listed,
                [5, 6, 7].map(BatchId).to_vec(),
            )?;
        }
    }
    let mut query = start(&log, 2).await?;
    expect_newest(&mut query, 7, true).await?;
    plan(&query, 8).await?;
    commit(&query, 8).await?;
    query.purge(BatchId(8)).await;
    let listed = other.batches(Log::Offsets).await?;
    expect(
        "entries after a purge",
        listed,
        [6, 7, 8].map(BatchId).to_vec(),
    )
}

/// A log that is written and purged at the same time has neither a gap nor half an entry.
async fn expect_intact(reader: &Handle, entries: &[Bytes]) -> Outcome {
    let planned = reader.batches(Log::Offsets).await?;
    let committed = reader.batches(Log::Commits).await?;
    let newest = planned.last().copied();
    for batch in committed.iter().filter(|batch| Some(**batch) <= newest) {
        let is_planned = planned.contains(batch);
        ensure!(
            is_planned,
            "batch {batch} is committed and not in {planned:?}"
        );
    }
    for batch in planned {
        let found = reader.get(Log::Offsets, batch).await?;
        let expected = usize::try_from(batch.0)
            .ok()
            .and_then(|index| entries.get(index));
        let is_intact = found.is_none_or(|found| Some(&found) == expected);
        ensure!(is_intact, "entry {batch} is torn");
    }
    Ok(())
}

pub(super) async fn readers(log: NewLog) -> Outcome {
    const BATCHES: u64 = 30;
    const KEPT: u64 = 3;
    let writer = log.open().await?;
    let epoch = writer.take_epoch().await?;
    let large = |batch| entry(&format!("of {batch};").repeat(10_000));
    let entries: Vec<Bytes> = (0..BATCHES).map(large).collect();
    let ended = AtomicBool::new(false);
    let write = async {
        for (batch, offsets) in (0..).map(BatchId).zip(&entries) {
            writer.create(epoch, Log::Offsets, batch, offsets).await?;
            writer
                .create(epoch, Log::Commits, batch, &entry("x"))
                .await?;
            if let Some(old) = batch.0.checked_sub(KEPT).map(BatchId) {
                writer.remove(Log::Commits, old).await?;
                writer.remove(Log::Offsets, old).await?;
            }
        }
        Ok::<_, Failure>(())
    };
    let write = async {
        let written = write.await;
        ended.store(true, Ordering::SeqCst);
        written
    };
    let reader = log.open().await?;
    let read = async {
        while !ended.load(Ordering::SeqCst) {
            expect_intact(&reader, &entries).await?;
            tokio::task::yield_now().await;
        }
        expect_intact(&reader, &entries).await
    };
    let (written, read) = tokio::join!(write, read);
    written.and(read)?;
    let left: Vec<BatchId> = (BATCHES - KEPT..BATCHES).map(BatchId).collect();
    expect("offsets", reader.batches(Log::Offsets).await?, left.clone())?;
    expect("commits", reader.batches(Log::Commits).await?, left)
}
