//! Calls that are dropped halfway, after each of their awaits.

use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;

use super::handle::{NO_EPOCH, entry};
use super::{Failure, NewLog, Outcome, ensure, expect};
use crate::checkpoint::committer::{Log, Put};
use crate::model::BatchId;

/// More awaits than a call can have.
const MAX_AWAITS: u64 = 500;

/// Polls `call` until it has been pending `awaits` times, and drops it when it would be pending again.
async fn interrupted<T>(call: impl Future<Output = T>, awaits: u64) -> Option<T> {
    let mut call = pin!(call);
    let mut left = awaits;
    std::future::poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// An entry that every store sends in several pieces.
fn large(by: &str, batch: BatchId) -> Bytes {
    entry(&format!("{by} {batch};").repeat(20_000))
}

pub(super) async fn put(log: NewLog) -> Outcome {
    let (writer, reader) = (log.open().await?, log.open().await?);
    let epoch = writer.take_epoch().await?;
    let mut entries = Vec::new();
    for awaits in 0..MAX_AWAITS {
        let batch = BatchId(awaits);
        let (first, second) = (large("first", batch), large("second", batch));
        let call = writer.0.put(epoch, Log::Offsets, batch, first.clone());
        let completed = interrupted(call, awaits).await.is_some();
        let seen = reader.get(Log::Offsets, batch).await?;
        let kept = match writer.put(epoch, Log::Offsets, batch, &second).await? {
            Put::Done => second.clone(),
            Put::Exists(found) => found,
            fenced => return Err(Failure(format!("expected no fence, found {fenced:?}"))),
        };
        let is_whole = kept == first || kept == second;
        ensure!(
            is_whole,
            "entry {batch} is torn: it has {} bytes",
            kept.len()
        );
        let is_same = seen.is_none_or(|seen| seen == kept);
        ensure!(is_same, "entry {batch} changed after it was seen");
        entries.push(kept);
        if completed {
            break;
        }
    }
    let all: Vec<BatchId> = (0..entries.len() as u64).map(BatchId).collect();
    expect("offsets", reader.batches(Log::Offsets).await?, all.clone())?;
    for (batch, kept) in all.into_iter().zip(entries) {
        let found = reader.get(Log::Offsets, batch).await?;
        ensure!(found == Some(kept), "entry {batch} changed later");
    }
    Ok(())
}

/// No writer gets an epoch that an interrupted start may have taken, or is fenced by one.
pub(super) async fn take_epoch(log: NewLog) -> Outcome {
    let mut last = NO_EPOCH;
    for awaits in 0..MAX_AWAITS {
        let first = log.open().await?;
        let taken = interrupted(first.0.take_epoch(NO_EPOCH), awaits).await;
        let second = log.open().await?;
        let epoch = second.take_epoch().await?;
        ensure!(epoch > last, "epoch {epoch} was taken after epoch {last}");
        let batch = BatchId(awaits);
        second
            .create(epoch, Log::Offsets, batch, &entry("x"))
            .await?;
        last = epoch;
        if let Some(Ok(taken)) = taken {
            let put = first
                .put(taken, Log::Offsets, batch.next(), &entry("x"))
                .await?;
            return expect("a put of the older writer", put, Put::Fenced(epoch));
        }
    }
    Err(Failure("take_epoch never completed".to_owned()))
}

pub(super) async fn remove(log: NewLog) -> Outcome {
    let handle = log.open().await?;
    let epoch = handle.take_epoch().await?;
    for awaits in 0..MAX_AWAITS {
        let batch = BatchId(awaits);
        let whole = large("it", batch);
        handle.create(epoch, Log::Offsets, batch, &whole).await?;
        let completed = interrupted(handle.0.remove(Log::Offsets, batch), awaits).await;
        let left = handle.get(Log::Offsets, batch).await?;
        ensure!(
            left.is_none_or(|left| left == whole),
            "entry {batch} is torn"
        );
        handle.remove(Log::Offsets, batch).await?;
        expect(
            "a removed entry",
            handle.get(Log::Offsets, batch).await?,
            None,
        )?;
        expect("offsets", handle.batches(Log::Offsets).await?, Vec::new())?;
        if completed.is_some() {
            return Ok(());
        }
    }
    Err(Failure("remove never completed".to_owned()))
}
