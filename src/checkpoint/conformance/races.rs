//! Writers of the same entries at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::handle::{Handle, entry};
use super::{Failure, NewLog, Outcome, ensure, expect};
use crate::checkpoint::committer::{Log, Put};
use crate::model::{BatchId, Epoch};

/// How often a race is run.
const RACES: u64 = 20;

/// Writers that take over from each other.
const WRITERS: usize = 6;

/// Entries that a writer creates before the next one takes over.
const LEAD: usize = 4;

/// One of two puts of the same bytes creates the entry, and the other finds its own bytes.
pub(super) async fn put_twice(log: NewLog) -> Outcome {
    let handle = log.open().await?;
    let epoch = handle.take_epoch().await?;
    for batch in (0..RACES).map(BatchId) {
        let own = entry(&format!("of {batch}"));
        let put = || handle.put(epoch, Log::Offsets, batch, &own);
        let (first, second) = tokio::join!(put(), put());
        let exists = Put::Exists(own.clone());
        let both = [first?, second?];
        let expected = [Put::Done, exists.clone()];
        // A try whose response was lost may have created it.
        let is_one = both.iter().all(|put| expected.contains(put)) && both.contains(&exists);
        ensure!(
            is_one,
            "expected one put to create entry {batch}, found {both:?}"
        );
        expect("a later put", put().await?, exists)?;
    }
    let late = handle
        .put(epoch, Log::Offsets, BatchId(0), &entry("of 0"))
        .await?;
    expect("a late put", late, Put::Exists(entry("of 0")))?;
    let all: Vec<BatchId> = (0..RACES).map(BatchId).collect();
    expect("offsets", handle.batches(Log::Offsets).await?, all)
}

/// An older and a newer writer put the same entry while the newer one takes over.
pub(super) async fn two_epochs(log: NewLog) -> Outcome {
    for batch in (0..RACES).map(BatchId) {
        let (old, new) = (log.open().await?, log.open().await?);
        let (of_old, of_new) = (entry("of the older"), entry("of the newer"));
        let epoch = old.take_epoch().await?;
        let older = old.put(epoch, Log::Offsets, batch, &of_old);
        let newer = async {
            let epoch = new.take_epoch().await?;
            new.put(epoch, Log::Offsets, batch, &of_new).await
        };
        let (older, newer) = tokio::join!(older, newer);
        let (older, newer) = (older?, newer?);
        let kept = old.get(Log::Offsets, batch).await?;
        let found = |put: &Put, bytes: &Bytes| matches!(put, Put::Exists(found) if found == bytes);
        // A put that finds its own bytes has written them in an earlier try.
        let old_won = (older == Put::Done || found(&older, &of_old)) && found(&newer, &of_old);
        let old_lost = matches!(older, Put::Fenced(_)) || found(&older, &of_new);
        let new_won = (newer == Put::Done || found(&newer, &of_new)) && old_lost;
        ensure!(
            old_won != new_won,
            "expected one of two writers to create entry {batch}, found {older:?} and {newer:?}"
        );
        expect(
            "the entry",
            kept,
            Some(if old_won { of_old } else { of_new }),
        )?;
    }
    Ok(())
}

/// A writer that creates entries until a newer one fences it.
struct Writer {
    handle: Handle,
    epoch: Epoch,
    /// The newest epoch that `take_epoch` has returned.
    newest: Arc<AtomicU64>,
    created: UnboundedSender<(BatchId, Epoch)>,
}

impl Writer {
    async fn write(self, mut batch: BatchId) -> Result<Epoch, Failure> {
        loop {
            let is_older = self.newest.load(Ordering::SeqCst) > self.epoch.0;
            let own = of(self.epoch);
            let put = self
                .handle
                .put(self.epoch, Log::Offsets, batch, &own)
                .await?;
            let created = put == Put::Done || put == Put::Exists(own);
            ensure!(
                !(created && is_older),
                "a writer of the older epoch {} created entry {batch}",
                self.epoch
            );
            match put {
                Put::Fenced(by) => return Ok(by),
                // Without a receiver another writer has failed.
                _ if created => drop(self.created.send((batch, self.epoch))),
                _ => {}
            }
            batch = batch.next();
        }
    }
}

fn of(epoch: Epoch) -> Bytes {
    entry(&format!("of epoch {epoch}"))
}

/// Every writer writes as fast as it can when the next one takes over, which sees all that was created.
pub(super) async fn takeover(log: NewLog) -> Outcome {
    let newest = Arc::new(AtomicU64::new(0));
    let (created, mut receiver) = unbounded_channel();
    let (mut writers, mut entries) = (JoinSet::new(), BTreeMap::new());
    for _ in 0..WRITERS {
        let handle = log.open().await?;
        let epoch = handle.take_epoch().await?;
        newest.store(epoch.0, Ordering::SeqCst);
        let listed = handle.batches(Log::Offsets).await?;
        for batch in entries.keys() {
            ensure!(
                listed.contains(batch),
                "acknowledged entry {batch} is not listed"
            );
        }
        let first = listed.last().map_or(BatchId(0), |last| last.next());
        let writer = Writer {
            handle,
            epoch,
            newest: Arc::clone(&newest),
            created: created.clone(),
        };
        writers.spawn(writer.write(first));
        let mut lead = 0;
        while lead < LEAD {
            tokio::select! {
                Some((batch, by)) = receiver.recv() => {
                    let before = entries.insert(batch, by);
                    ensure!(before.is_none(), "entry {batch} was created twice");
                    lead += usize::from(by == epoch);
                }
                Some(ended) = writers.join_next() => expect_fenced(ended)?,
            }
        }
    }
    let last = log.open().await?;
    let epoch = last.take_epoch().await?;
    newest.store(epoch.0, Ordering::SeqCst);
    while let Some(ended) = writers.join_next().await {
        expect_fenced(ended)?;
    }
    drop(created);
    while let Some((batch, by)) = receiver.recv().await {
        let before = entries.insert(batch, by);
        ensure!(before.is_none(), "entry {batch} was created twice");
    }
    let listed = last.batches(Log::Offsets).await?;
    expect("offsets", listed, entries.keys().copied().collect())?;
    for (batch, by) in entries {
        let found = last.get(Log::Offsets, batch).await?;
        expect("an entry", found, Some(of(by)))?;
    }
    Ok(())
}

/// A writer ends by being fenced.
fn expect_fenced(ended: Result<Result<Epoch, Failure>, tokio::task::JoinError>) -> Outcome {
    let ended = ended.map_err(|error| Failure(format!("a writer panicked: {error}")))?;
    ended.map(drop)
}
