//! Purges of a run that has been fenced without noticing.

use super::super::Log;
use super::*;

async fn run(query: &Checkpoint, batches: std::ops::Range<u64>) {
    for id in batches {
        query.log_offsets(&batch(id, 2)).await.unwrap();
        query
            .log_commit(BatchId(id), UnixMillis(1), &Committed::default())
            .await
            .unwrap();
    }
}

/// Two runs with the smallest retention; the older one has run ten batches.
async fn two_starts() -> (TestLocation, Checkpoint, Checkpoint) {
    let place = TestLocation::memory();
    let start = |seed| Checkpoint::new(place.open(), RETRY, 1, fastrand::Rng::with_seed(seed));
    let (mut old, new) = (start(1), start(2));
    old.take_over().await.unwrap();
    run(&old, 0..10).await;
    (place, old, new)
}

#[tokio::test]
async fn a_purge_of_an_older_run_keeps_what_a_newer_one_needs() {
    for ahead in 0..3 {
        for (planned, done) in [(false, false), (true, false), (true, true)] {
            let (place, old, mut new) = two_starts().await;
            new.take_over().await.unwrap();
            run(&new, 10..10 + ahead).await;
            let next = batch(10 + ahead, 2);
            if planned {
                new.log_offsets(&next).await.unwrap();
            }
            if done {
                new.log_commit(next.id, UnixMillis(1), &Committed::default())
                    .await
                    .unwrap();
            }
            old.purge(BatchId(9)).await;
            let kept = place.open().batches(Log::Commits).await.unwrap();
            assert_eq!(kept.first(), Some(&BatchId(9)), "it does delete");
            let newest = if planned { next } else { batch(9 + ahead, 2) };
            let mut later = start(place.open(), 3);
            let found = later.take_over().await.unwrap().unwrap();
            assert_eq!((found.batch, found.committed), (newest, done || !planned));
        }
    }
}
