//! Epochs keep older writers out.

use tokio::task::JoinSet;

use super::handle::entry;
use super::{Failure, NewLog, Outcome, ensure, expect};
use crate::checkpoint::committer::{Log, Put};
use crate::model::{BatchId, Epoch};

pub(super) async fn newest(log: NewLog) -> Outcome {
    let (old, new) = (log.open().await?, log.open().await?);
    let first = old.take_epoch().await?;
    expect(
        "whether the only epoch is the newest",
        old.is_newest(first).await?,
        true,
    )?;
    // Committers with the provided implementation need an entry.
    old.create(first, Log::Offsets, BatchId(0), &entry("old"))
        .await?;
    expect(
        "whether the only epoch is the newest",
        old.is_newest(first).await?,
        true,
    )?;
    let second = new.take_epoch().await?;
    expect(
        "whether an older epoch is the newest",
        old.is_newest(first).await?,
        false,
    )?;
    expect(
        "whether the last epoch is the newest",
        new.is_newest(second).await?,
        true,
    )?;
    let batches = new.batches(Log::Offsets).await?;
    expect("offsets", batches, vec![BatchId(0)])?;
    let found = new.get(Log::Offsets, BatchId(0)).await?;
    expect("the entry", found, Some(entry("old")))?;
    new.remove(Log::Offsets, BatchId(0)).await?;
    new.create(second, Log::Offsets, BatchId(1), &entry("new"))
        .await?;
    expect(
        "whether an older epoch is the newest",
        old.is_newest(first).await?,
        false,
    )
}

/// Starts that take an epoch at once.
const STARTS: usize = 16;

pub(super) async fn older_writer(log: NewLog) -> Outcome {
    let (old, new) = (log.open().await?, log.open().await?);
    let first = old.take_epoch().await?;
    old.create(first, Log::Offsets, BatchId(0), &entry("old"))
        .await?;
    let second = new.take_epoch().await?;
    ensure!(
        second > first,
        "epoch {second} was taken after epoch {first}"
    );
    for log in [Log::Commits, Log::Offsets] {
        let put = old.put(first, log, BatchId(1), &entry("old")).await?;
        expect("a put of the older writer", put, Put::Fenced(second))?;
        let found = new.get(log, BatchId(1)).await?;
        expect("the entry of a fenced put", found, None)?;
    }
    new.create(second, Log::Offsets, BatchId(1), &entry("new"))
        .await?;
    // The handle that took the newest epoch writes, even if it had an older one before.
    let third = old.take_epoch().await?;
    ensure!(
        third > second,
        "epoch {third} was taken after epoch {second}"
    );
    let put = new
        .put(second, Log::Offsets, BatchId(2), &entry("new"))
        .await?;
    expect("a put of the older writer", put, Put::Fenced(third))?;
    old.create(third, Log::Offsets, BatchId(2), &entry("old"))
        .await
}

pub(super) async fn unique(log: NewLog) -> Outcome {
    let mut starts = JoinSet::new();
    for _ in 0..STARTS {
        let handle = log.open().await?;
        starts.spawn(async move { Ok::<_, Failure>((handle.take_epoch().await?, handle)) });
    }
    let starts: Result<Vec<_>, Failure> = starts.join_all().await.into_iter().collect();
    let mut starts = starts?;
    starts.sort_by_key(|(epoch, _)| *epoch);
    let epochs: Vec<Epoch> = starts.iter().map(|(epoch, _)| *epoch).collect();
    ensure!(
        epochs.is_sorted_by(|a, b| a < b),
        "an epoch was given out twice: {epochs:?}"
    );
    let Some((newest, last)) = starts.pop() else {
        return Ok(());
    };
    for (older, handle) in starts {
        let put = handle
            .put(older, Log::Offsets, BatchId(0), &entry("x"))
            .await?;
        expect("a put of an older epoch", put, Put::Fenced(newest))?;
    }
    last.create(newest, Log::Offsets, BatchId(0), &entry("x"))
        .await
}

pub(super) async fn above(log: NewLog) -> Outcome {
    let (first, second) = (log.open().await?, log.open().await?);
    let epoch = first.take_epoch_above(Epoch(41)).await?;
    ensure!(epoch > Epoch(41), "epoch {epoch} was taken above epoch 41");
    let next = second.take_epoch_above(Epoch(7)).await?;
    ensure!(next > epoch, "epoch {next} was taken after epoch {epoch}");
    let put = first
        .put(epoch, Log::Offsets, BatchId(0), &entry("x"))
        .await?;
    expect("a put of the older epoch", put, Put::Fenced(next))
}
