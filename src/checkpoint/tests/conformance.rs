//! What every committer does. A new one adds a line of `conforms!` at the end.

mod purging;
mod races;
mod torn;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::super::{Checkpoint, Log, Logged, OffsetCommitter, Put, Recovered, StoreResult};
use super::{NONE, Place, batch, start};
use crate::error::ErrorKind;
use crate::model::{BatchId, Committed, Epoch, UnixMillis};

use purging::*;
use races::*;
use torn::*;

const WRITERS: u64 = 16;

fn entry(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}

/// Takes an epoch however often it takes, as the contract has it.
async fn take_epoch(committer: &dyn OffsetCommitter) -> Epoch {
    loop {
        match committer.take_epoch(NONE).await {
            Ok(epoch) => return epoch,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// Creates an entry of `offsets`, sending the put again where it may pass, as the contract has it.
async fn put_again(
    committer: &dyn OffsetCommitter,
    epoch: Epoch,
    batch: BatchId,
    entry: &Bytes,
) -> Put {
    loop {
        match committer
            .put(epoch, Log::Offsets, batch, entry.clone())
            .await
        {
            Ok(put) => return put,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// Says past the test runner, which keeps the output of tests that pass, that a test was skipped.
pub(crate) fn skipped(test: &str, why: &str) {
    // Who cannot be told is not in the way of the test.
    let _ = writeln!(std::io::stderr().lock(), "skipped {test}: {why}");
}

async fn a_new_place_is_empty(place: Place) {
    let committer = place.open();
    assert_eq!(committer.metadata().await.unwrap(), None);
    for log in [Log::Offsets, Log::Commits] {
        assert_eq!(committer.batches(log).await.unwrap(), []);
        assert_eq!(committer.get(log, BatchId(0)).await.unwrap(), None);
    }
}

async fn an_entry_is_created_once_and_seen_by_every_handle(place: Place) {
    let (writer, reader) = (place.open(), place.open());
    let epoch = writer.take_epoch(NONE).await.unwrap();
    let put = |log, text| writer.put(epoch, log, BatchId(0), entry(text));
    assert_eq!(put(Log::Offsets, "one").await.unwrap(), Put::Done);
    let found = put(Log::Offsets, "two").await.unwrap();
    assert_eq!(found, Put::Exists(entry("one")));
    let own = put(Log::Offsets, "one").await.unwrap();
    assert_eq!(own, Put::Exists(entry("one")), "for the caller to tell");
    assert_eq!(put(Log::Commits, "three").await.unwrap(), Put::Done);
    let get = |log| reader.get(log, BatchId(0));
    assert_eq!(get(Log::Offsets).await.unwrap(), Some(entry("one")));
    assert_eq!(get(Log::Commits).await.unwrap(), Some(entry("three")));

    let first = writer.create_metadata(entry("it")).await.unwrap();
    assert_eq!(first, Put::Done);
    let second = reader.create_metadata(entry("that")).await.unwrap();
    assert_eq!(second, Put::Exists(entry("it")));
    assert_eq!(reader.metadata().await.unwrap(), Some(entry("it")));
}

/// One winner, and all others see what it wrote.
async fn expect_one_winner(mut puts: JoinSet<(Bytes, StoreResult<Put>)>) {
    let (mut done, mut found) = (Vec::new(), BTreeSet::new());
    while let Some(put) = puts.join_next().await {
        let (own, put) = put.unwrap();
        match put.unwrap() {
            Put::Done => done.push(own),
            Put::Exists(other) => drop(found.insert(other)),
            fenced @ Put::Fenced(_) => panic!("{fenced:?}"),
        }
    }
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(found, BTreeSet::from_iter(done));
}

async fn of_many_writers_one_creates(place: Place) {
    let committer = place.open();
    let epoch = committer.take_epoch(NONE).await.unwrap();
    let (mut entries, mut metadata) = (JoinSet::new(), JoinSet::new());
    for writer in 0..WRITERS {
        let own = entry(&"x".repeat(usize::try_from(writer).unwrap() * 1000));
        let (text, committer) = (own.clone(), Arc::clone(&committer));
        entries.spawn(async move {
            let put = committer.put(epoch, Log::Offsets, BatchId(7), text.clone());
            (text, put.await)
        });
        let committer = place.open();
        metadata.spawn(async move { (own.clone(), committer.create_metadata(own).await) });
    }
    expect_one_winner(entries).await;
    expect_one_winner(metadata).await;
}

async fn an_older_writer_is_fenced(place: Place) {
    let (old, new) = (place.open(), place.open());
    let first = old.take_epoch(NONE).await.unwrap();
    let done = old.put(first, Log::Offsets, BatchId(0), entry("old")).await;
    assert_eq!(done.unwrap(), Put::Done);
    let second = new.take_epoch(NONE).await.unwrap();
    assert!(second > first);
    for log in [Log::Commits, Log::Offsets] {
        let put = old.put(first, log, BatchId(1), entry("old")).await;
        assert_eq!(put.unwrap(), Put::Fenced(second));
        assert_eq!(new.get(log, BatchId(1)).await.unwrap(), None);
    }
    let put = new.put(second, Log::Offsets, BatchId(1), entry("new"));
    assert_eq!(put.await.unwrap(), Put::Done);

    // Whoever starts last writes, also when it was there before.
    let third = old.take_epoch(NONE).await.unwrap();
    assert!(third > second);
    let put = new.put(second, Log::Offsets, BatchId(2), entry("new"));
    assert_eq!(put.await.unwrap(), Put::Fenced(third));
    let put = old.put(third, Log::Offsets, BatchId(2), entry("old"));
    assert_eq!(put.await.unwrap(), Put::Done);
}

async fn an_epoch_is_taken_once_and_the_newest_writes(place: Place) {
    let mut starts = JoinSet::new();
    for _ in 0..WRITERS {
        let committer = place.open();
        starts.spawn(async move { (take_epoch(&*committer).await, committer) });
    }
    let mut starts = starts.join_all().await;
    starts.sort_by_key(|(epoch, _)| *epoch);
    assert!(starts.is_sorted_by(|(a, _), (b, _)| a < b), "{starts:?}");
    let (newest, last) = starts.pop().unwrap();
    for (older, committer) in starts {
        let put = committer.put(older, Log::Offsets, BatchId(0), entry("x"));
        assert_eq!(put.await.unwrap(), Put::Fenced(newest));
    }
    let put = last.put(newest, Log::Offsets, BatchId(0), entry("x"));
    assert_eq!(put.await.unwrap(), Put::Done);
}

async fn an_epoch_is_beyond_the_one_that_is_told(place: Place) {
    let (first, second) = (place.open(), place.open());
    let epoch = first.take_epoch(Epoch(41)).await.unwrap();
    assert!(epoch > Epoch(41), "{epoch}");
    let next = second.take_epoch(Epoch(7)).await.unwrap();
    assert!(next > epoch, "{next}");
    let put = first.put(epoch, Log::Offsets, BatchId(0), entry("x"));
    assert_eq!(put.await.unwrap(), Put::Fenced(next));
}

async fn batches_are_listed_as_numbers_until_they_are_removed(place: Place) {
    let committer = place.open();
    let epoch = committer.take_epoch(NONE).await.unwrap();
    let ids = [9, 10, 100, 2, 0, 11, 1].map(BatchId);
    for id in ids {
        let put = committer.put(epoch, Log::Offsets, id, entry("x"));
        assert_eq!(put.await.unwrap(), Put::Done);
    }
    let listed = committer.batches(Log::Offsets).await.unwrap();
    assert_eq!(listed, [0, 1, 2, 9, 10, 11, 100].map(BatchId));
    assert_eq!(committer.batches(Log::Commits).await.unwrap(), []);
    for id in [0, 10, 10] {
        committer.remove(Log::Offsets, BatchId(id)).await.unwrap();
    }
    let listed = place.open().batches(Log::Offsets).await.unwrap();
    assert_eq!(listed, [1, 2, 9, 11, 100].map(BatchId));
}

async fn a_query_is_found_where_it_was_left(place: Place) {
    let mut first = start(place.open(), 1);
    assert_eq!(first.take_over().await.unwrap(), None);
    for id in 0..12 {
        let logged = first.log_offsets(&batch(id, 3)).await.unwrap();
        assert_eq!(logged, Logged::Done);
        let recovered = start(place.open(), 2).take_over().await.unwrap();
        let (batch, committed) = (batch(id, 3), false);
        assert_eq!(
            recovered,
            Some(Recovered {
                batch,
                committed,
                before: Committed::default()
            })
        );
        first.take_over().await.unwrap();
        let logged = first
            .log_commit(BatchId(id), UnixMillis(id as i64), &Committed::default())
            .await;
        assert_eq!(logged.unwrap(), Logged::Done);
        first.purge(BatchId(id)).await;
    }
    let listed = place.open().batches(Log::Offsets).await.unwrap();
    assert_eq!(listed, [9, 10, 11].map(BatchId), "three are retained");
    let recovered = start(place.open(), 2).take_over().await.unwrap();
    let (batch, committed) = (batch(11, 3), true);
    assert_eq!(
        recovered,
        Some(Recovered {
            batch,
            committed,
            before: Committed::default()
        })
    );
    let fenced = first.log_offsets(&super::batch(12, 3)).await.unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced);
}

async fn a_batch_of_ten_thousand_shards_is_kept(place: Place) {
    let mut query = start(place.open(), 1);
    query.take_over().await.unwrap();
    let batch = batch(0, 10_000);
    assert_eq!(query.log_offsets(&batch).await.unwrap(), Logged::Done);
    let recovered = query.take_over().await.unwrap().expect("a batch");
    assert!(recovered.batch == batch, "all ranges come back");
}

macro_rules! conforms {
    ($committer:ident: $place:expr; $($case:ident),+ $(,)?) => {
        mod $committer {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    match $place {
                        Ok(place) => super::$case(place).await,
                        Err(why) => skipped(concat!(stringify!($committer), "::", stringify!($case)), why),
                    }
                }
            )+
        }
    };
    ($($committer:ident: $place:expr;)+) => {
        $(conforms! { $committer: $place;
            a_new_place_is_empty,
            an_entry_is_created_once_and_seen_by_every_handle,
            of_many_writers_one_creates,
            an_older_writer_is_fenced,
            an_epoch_is_taken_once_and_the_newest_writes,
            an_epoch_is_beyond_the_one_that_is_told,
            batches_are_listed_as_numbers_until_they_are_removed,
            a_query_is_found_where_it_was_left,
            a_batch_of_ten_thousand_shards_is_kept,
            a_put_that_stops_midway_is_there_whole_or_not_at_all,
            an_epoch_whose_taker_stops_midway_is_in_nobodys_way,
            a_removal_that_stops_midway_leaves_all_or_nothing,
            a_put_sent_twice_is_one_entry,
            starts_of_two_epochs_create_one_entry_between_them,
            no_older_writer_gets_in_once_a_newer_epoch_is_taken,
            more_than_a_thousand_entries_are_listed_in_order,
            a_purge_goes_over_gaps_and_may_be_done_again,
            a_purge_shows_readers_no_hole_and_no_half_entry,
        })+
    };
}

conforms! {
    local_files: Ok::<_, &str>(Place::local());
    memory: Ok::<_, &str>(Place::memory());
    given: Place::below_the_given();
}

#[cfg(all(feature = "aws", feature = "simulator"))]
conforms! {
    s3: Ok::<_, &str>(Place::s3().await);
}

#[cfg(feature = "hdfs")]
conforms! {
    hdfs: Place::hdfs();
}

#[cfg(feature = "dynamodb")]
conforms! {
    dynamodb: Ok::<_, &str>(Place::dynamodb());
}
