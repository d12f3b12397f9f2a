//! Entries are created once, seen by everyone, and listed by number.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;

use super::handle::entry;
use super::{Failure, NewLog, Outcome, ensure, expect};
use crate::checkpoint::committer::{Log, Put};
use crate::model::BatchId;

/// Writers that race for an entry.
const WRITERS: u64 = 16;

/// More entries than any store lists on one page.
const MANY: u64 = 1_100;

/// Requests that are in flight at once while many entries are created.
const IN_FLIGHT: usize = 16;

pub(super) async fn new_log(log: NewLog) -> Outcome {
    let handle = log.open().await?;
    expect("metadata", handle.metadata().await?, None)?;
    for log in [Log::Offsets, Log::Commits] {
        expect(log.name(), handle.batches(log).await?, Vec::new())?;
        expect("entry 0", handle.get(log, BatchId(0)).await?, None)?;
    }
    Ok(())
}

pub(super) async fn created_once(log: NewLog) -> Outcome {
    let (writer, reader) = (log.open().await?, log.open().await?);
    let epoch = writer.take_epoch().await?;
    let first = BatchId(0);
    let (one, two, three) = (entry("one"), entry("two"), entry("three"));
    writer.create(epoch, Log::Offsets, first, &one).await?;
    for again in [&two, &one] {
        let put = writer.put(epoch, Log::Offsets, first, again).await?;
        expect("a second put", put, Put::Exists(one.clone()))?;
    }
    writer.create(epoch, Log::Commits, first, &three).await?;
    let offsets = reader.get(Log::Offsets, first).await?;
    expect("the entry of offsets", offsets, Some(one))?;
    let commits = reader.get(Log::Commits, first).await?;
    expect("the entry of commits", commits, Some(three))?;
    let made = writer.create_metadata(&entry("it")).await?;
    let is_own = made == Put::Done || made == Put::Exists(entry("it"));
    ensure!(is_own, "creating metadata: expected Done, found {made:?}");
    let second = reader.create_metadata(&entry("that")).await?;
    expect("creating metadata again", second, Put::Exists(entry("it")))?;
    expect("metadata", reader.metadata().await?, Some(entry("it")))
}

/// Checks that one put is [`Put::Done`], and that all others found its bytes.
async fn expect_one_winner(mut puts: JoinSet<Result<(Bytes, Put), Failure>>) -> Outcome {
    let (mut done, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some(put) = puts.join_next().await {
        let put = put.map_err(|error| Failure(format!("a writer panicked: {error}")))?;
        match put? {
            (own, Put::Done) => {
                ensure!(done.insert(own.len()), "two writers created the entry");
            }
            (_, Put::Exists(other)) => drop(found.insert(other.len())),
            (_, fenced) => return Err(Failure(format!("expected no fence, found {fenced:?}"))),
        }
    }
    found.extend(&done);
    ensure!(
        done.len() <= 1 && found.len() == 1,
        "expected one writer to create the entry: created by {done:?}, found {found:?} (bytes)"
    );
    Ok(())
}

pub(super) async fn many_writers(log: NewLog) -> Outcome {
    let handle = log.open().await?;
    let epoch = handle.take_epoch().await?;
    let (mut entries, mut metadata) = (JoinSet::new(), JoinSet::new());
    for writer in 0..WRITERS {
        let own = entry(&"x".repeat(1 + usize::try_from(writer).unwrap_or(0) * 1_000));
        let (text, writer) = (own.clone(), handle.clone());
        entries.spawn(async move {
            let put = writer.put(epoch, Log::Offsets, BatchId(7), &text).await?;
            Ok((text, put))
        });
        let writer = log.open().await?;
        metadata.spawn(async move {
            let put = writer.create_metadata(&own).await?;
            Ok((own, put))
        });
    }
    expect_one_winner(entries).await?;
    expect_one_winner(metadata).await
}

pub(super) async fn listed_in_order(log: NewLog) -> Outcome {
    let handle = log.open().await?;
    let epoch = handle.take_epoch().await?;
    for batch in [9, 10, 100, 2, 0, 11, 1].map(BatchId) {
        handle
            .create(epoch, Log::Offsets, batch, &entry("x"))
            .await?;
    }
    let listed = handle.batches(Log::Offsets).await?;
    let expected = [0, 1, 2, 9, 10, 11, 100].map(BatchId).to_vec();
    expect("offsets", listed, expected)?;
    expect("commits", handle.batches(Log::Commits).await?, Vec::new())?;
    // Removing a missing entry is not an error.
    for batch in [0, 10, 10].map(BatchId) {
        handle.remove(Log::Offsets, batch).await?;
    }
    let listed = log.open().await?.batches(Log::Offsets).await?;
    expect("offsets", listed, [1, 2, 9, 11, 100].map(BatchId).to_vec())
}

pub(super) async fn many_entries(log: NewLog) -> Outcome {
    let handle = log.open().await?;
    let epoch = handle.take_epoch().await?;
    let mut batches: Vec<BatchId> = (0..MANY).map(BatchId).collect();
    fastrand::Rng::with_seed(3).shuffle(&mut batches);
    let text = entry("x");
    let create = |batch| handle.create(epoch, Log::Offsets, batch, &text);
    let created = stream::iter(batches)
        .map(create)
        .buffer_unordered(IN_FLIGHT);
    created.try_collect::<()>().await?;
    let mut expected: Vec<BatchId> = (0..MANY).map(BatchId).collect();
    let listed = log.open().await?.batches(Log::Offsets).await?;
    ensure!(
        listed == expected,
        "{} of {MANY} entries are listed",
        listed.len()
    );
    for removed in [0, 9, 10, 99, 100, 999, 1_000, MANY - 1].map(BatchId) {
        handle.remove(Log::Offsets, removed).await?;
        expected.retain(|batch| *batch != removed);
    }
    let listed = log.open().await?.batches(Log::Offsets).await?;
    ensure!(
        listed == expected,
        "removed entries are listed, or others are not"
    );
    Ok(())
}
