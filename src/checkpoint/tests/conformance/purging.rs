//! Many entries, and what deletes them.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, stream};

use super::*;

/// More than a page of any store's listing.
const ENTRIES: u64 = 1_100;

pub(super) async fn more_than_a_thousand_entries_are_listed_in_order(place: Place) {
    let committer = place.open();
    let epoch = take_epoch(&*committer).await;
    let mut ids: Vec<_> = (0..ENTRIES).map(BatchId).collect();
    fastrand::Rng::with_seed(3).shuffle(&mut ids);
    let put = |id| {
        let committer = Arc::clone(&committer);
        async move { put_again(&*committer, epoch, id, &entry("x")).await }
    };
    let puts: Vec<_> = stream::iter(ids)
        .map(put)
        .buffer_unordered(16)
        .collect()
        .await;
    assert!(puts.iter().all(|put| *put == Put::Done));
    ids = (0..ENTRIES).map(BatchId).collect();
    assert_eq!(place.open().batches(Log::Offsets).await.unwrap(), ids);
    for removed in [0, 9, 10, 99, 100, 999, 1_000, ENTRIES - 1].map(BatchId) {
        committer.remove(Log::Offsets, removed).await.unwrap();
        ids.retain(|id| *id != removed);
    }
    assert_eq!(place.open().batches(Log::Offsets).await.unwrap(), ids);
}

/// Plans and commits a batch.
async fn run(query: &Checkpoint, id: u64) {
    let logged = query.log_offsets(&batch(id, 1)).await;
    assert_eq!(logged.unwrap(), Logged::Done);
    let logged = query
        .log_commit(BatchId(id), UnixMillis(1), &Committed::default())
        .await;
    assert_eq!(logged.unwrap(), Logged::Done);
}

pub(super) async fn a_purge_goes_over_gaps_and_may_be_done_again(place: Place) {
    let mut query = start(place.open(), 1);
    query.take_over().await.unwrap();
    for id in 0..8 {
        run(&query, id).await;
    }
    let other = place.open();
    for (log, gap) in [(Log::Commits, 1), (Log::Offsets, 3), (Log::Commits, 3)] {
        other.remove(log, BatchId(gap)).await.unwrap();
    }
    for _ in 0..2 {
        query.purge(BatchId(7)).await;
        for log in [Log::Offsets, Log::Commits] {
            let listed = other.batches(log).await.unwrap();
            assert_eq!(listed, [5, 6, 7].map(BatchId), "{log:?}");
        }
    }
    // The next start knows where the log begins now.
    let mut query = start(place.open(), 2);
    let recovered = query.take_over().await.unwrap();
    let (batch, committed) = (batch(7, 1), true);
    assert_eq!(
        recovered,
        Some(Recovered {
            batch,
            committed,
            before: Committed::default()
        })
    );
    run(&query, 8).await;
    query.purge(BatchId(8)).await;
    let listed = other.batches(Log::Offsets).await.unwrap();
    assert_eq!(listed, [6, 7, 8].map(BatchId));
}

/// Looks at a log that is written and purged meanwhile: it never has a hole or half an entry.
async fn look(committer: &dyn OffsetCommitter, whole: &[Bytes]) {
    let planned = committer.batches(Log::Offsets).await.unwrap();
    let committed = committer.batches(Log::Commits).await.unwrap();
    let newest = planned.last().copied();
    for batch in committed.iter().filter(|batch| Some(**batch) <= newest) {
        let there = planned.contains(batch);
        assert!(there, "{batch} is committed and not in {planned:?}");
    }
    for batch in planned {
        let found = committer.get(Log::Offsets, batch).await.unwrap();
        let expected = &whole[usize::try_from(batch.0).unwrap()];
        assert!(
            found.is_none_or(|found| found == expected),
            "{batch} is torn"
        );
    }
}

pub(super) async fn a_purge_shows_readers_no_hole_and_no_half_entry(place: Place) {
    const BATCHES: u64 = 30;
    let writer = place.open();
    let epoch = take_epoch(&*writer).await;
    let large = |batch| entry(&format!("of {batch};").repeat(10_000));
    let whole: Vec<_> = (0..BATCHES).map(large).collect();
    let ended = AtomicBool::new(false);
    let write = async {
        for (batch, entry) in (0..).map(BatchId).zip(&whole) {
            let put = put_again(&*writer, epoch, batch, entry).await;
            assert_eq!(put, Put::Done);
            let put = writer.put(epoch, Log::Commits, batch, "x".into()).await;
            assert_eq!(put.unwrap(), Put::Done);
            if let Some(old) = batch.0.checked_sub(3).map(BatchId) {
                writer.remove(Log::Commits, old).await.unwrap();
                writer.remove(Log::Offsets, old).await.unwrap();
            }
        }
        ended.store(true, Ordering::SeqCst);
    };
    let reader = place.open();
    let read = async {
        while !ended.load(Ordering::SeqCst) {
            look(&*reader, &whole).await;
            tokio::task::yield_now().await;
        }
        look(&*reader, &whole).await;
    };
    tokio::join!(write, read);
    let left: Vec<_> = (BATCHES - 3..BATCHES).map(BatchId).collect();
    assert_eq!(reader.batches(Log::Offsets).await.unwrap(), left);
    assert_eq!(reader.batches(Log::Commits).await.unwrap(), left);
}
