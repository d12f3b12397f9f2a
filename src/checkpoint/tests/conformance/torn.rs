//! Writers that stop in the middle.

use std::pin::pin;
use std::task::Poll;

use super::*;

/// More waits than a call can have.
const MANY: u64 = 500;

/// Lets `call` wait that often, and drops it where it would wait again.
async fn stopped<T>(call: impl Future<Output = T>, waits: u64) -> Option<T> {
    let mut call = pin!(call);
    let mut left = waits;
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

/// An entry that does not go out in one piece.
fn large(by: &str, batch: BatchId) -> Bytes {
    entry(&format!("{by} {batch};").repeat(20_000))
}

/// Entries that stopped writers left are whole or not there, and stay so.
pub(super) async fn a_put_that_stops_midway_is_there_whole_or_not_at_all(place: Place) {
    let (writer, reader) = (place.open(), place.open());
    let epoch = take_epoch(&*writer).await;
    let mut standing = Vec::new();
    for waits in 0..MANY {
        let batch = BatchId(waits);
        let (first, second) = (large("first", batch), large("second", batch));
        let put = writer.put(epoch, Log::Offsets, batch, first.clone());
        let ended = stopped(put, waits).await.is_some();
        let seen = reader.get(Log::Offsets, batch).await.unwrap();
        let stands = match put_again(&*writer, epoch, batch, &second).await {
            Put::Done => second,
            Put::Exists(found) => found,
            fenced @ Put::Fenced(_) => panic!("{fenced:?}"),
        };
        let whole = stands == first || stands == large("second", batch);
        assert!(whole, "{batch}: {} bytes", stands.len());
        assert!(
            seen.is_none_or(|seen| seen == stands),
            "{batch} has changed"
        );
        standing.push(stands);
        if ended {
            break;
        }
    }
    let all: Vec<_> = (0..standing.len() as u64).map(BatchId).collect();
    assert_eq!(reader.batches(Log::Offsets).await.unwrap(), all);
    for (batch, stands) in all.into_iter().zip(standing) {
        let found = reader.get(Log::Offsets, batch).await.unwrap();
        assert!(found == Some(stands), "{batch} has changed");
    }
}

/// Nobody gets an epoch that a stopped start may think its own, nor is kept out by one.
pub(super) async fn an_epoch_whose_taker_stops_midway_is_in_nobodys_way(place: Place) {
    let mut last = NONE;
    for waits in 0..MANY {
        let first = place.open();
        let taken = stopped(first.take_epoch(NONE), waits).await;
        let second = place.open();
        let epoch = take_epoch(&*second).await;
        assert!(epoch > last, "{epoch} after {last}");
        let batch = BatchId(waits);
        let put = put_again(&*second, epoch, batch, &entry("x")).await;
        assert_eq!(put, Put::Done, "epoch {epoch}");
        last = epoch;
        if let Some(taken) = taken {
            let taken = taken.unwrap();
            let put = first.put(taken, Log::Offsets, batch.next(), entry("x"));
            assert_eq!(put.await.unwrap(), Put::Fenced(epoch));
            return;
        }
    }
    panic!("it never ended by itself");
}

/// What a stopped removal left is whole, or gone; the next one removes it.
pub(super) async fn a_removal_that_stops_midway_leaves_all_or_nothing(place: Place) {
    let committer = place.open();
    let epoch = take_epoch(&*committer).await;
    for waits in 0..MANY {
        let batch = BatchId(waits);
        let whole = large("it", batch);
        let put = put_again(&*committer, epoch, batch, &whole).await;
        assert_eq!(put, Put::Done);
        let ended = stopped(committer.remove(Log::Offsets, batch), waits).await;
        let left = committer.get(Log::Offsets, batch).await.unwrap();
        assert!(left.is_none_or(|left| left == whole), "{batch} is torn");
        committer.remove(Log::Offsets, batch).await.unwrap();
        assert_eq!(committer.get(Log::Offsets, batch).await.unwrap(), None);
        assert_eq!(committer.batches(Log::Offsets).await.unwrap(), []);
        if ended.is_some() {
            return;
        }
    }
    panic!("it never ended by itself");
}
