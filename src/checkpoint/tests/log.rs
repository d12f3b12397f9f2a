//! The log of a query over a failing store, and with concurrent runs.

use super::super::Log;
use super::*;
use crate::error::ErrorKind;

fn faulty(place: &TestLocation) -> Arc<FaultyCommitter> {
    FaultyCommitter::new(place.open())
}

#[tokio::test(start_paused = true)]
async fn a_query_is_created_once() {
    let place = TestLocation::memory();
    let (first, second) = (start(place.open(), 1), start(faulty(&place), 2));
    assert_eq!(first.metadata().await.unwrap(), None);
    let created = first.create_metadata(&metadata("a")).await.unwrap();
    assert_eq!(created, metadata("a"));
    let created = second.create_metadata(&metadata("b")).await.unwrap();
    assert_eq!(created, metadata("a"));
    assert_eq!(second.metadata().await.unwrap(), Some(metadata("a")));
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_is_not_another_writer() {
    let place = TestLocation::memory();
    let committer = faulty(&place);
    let mut query = start(Arc::clone(&committer) as _, 1);
    committer.next(&[Fault::LosesAnswer]);
    assert_eq!(query.take_over().await.unwrap(), None);
    committer.next(&[Fault::LosesAnswer, Fault::Fails]);
    assert_eq!(query.log_offsets(&batch(0, 3)).await.unwrap(), Logged::Done);
    committer.next(&[Fault::Fails, Fault::LosesAnswer]);
    let logged = query
        .log_commit(BatchId(0), UnixMillis(1), &Committed::default())
        .await;
    assert_eq!(logged.unwrap(), Logged::Done);
    committer.next(&[Fault::LosesAnswer]);
    let created = query.create_metadata(&metadata("a")).await.unwrap();
    assert_eq!(created, metadata("a"));
}

#[tokio::test(start_paused = true)]
async fn transient_errors_are_retried_by_the_policy() {
    let place = TestLocation::memory();
    let committer = faulty(&place);
    let mut query = start(Arc::clone(&committer) as _, 1);
    query.take_over().await.unwrap();
    committer.next(&[Fault::Fails; 5]);
    assert_eq!(query.log_offsets(&batch(0, 3)).await.unwrap(), Logged::Done);
    committer.next(&[Fault::Fails; 6]);
    let error = query
        .log_commit(BatchId(0), UnixMillis(1), &Committed::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.to_string().ends_with("(gave up after 6 tries)"),
        "{error}"
    );

    let calls = committer.calls();
    committer.next(&[Fault::Refuses]);
    let error = query
        .log_commit(BatchId(0), UnixMillis(1), &Committed::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert_eq!(committer.calls(), calls + 1, "no second try");
}

#[tokio::test(start_paused = true)]
async fn a_batch_replanned_after_a_lost_response_yields_to_the_existing_entry() {
    let place = TestLocation::memory();
    let committer = faulty(&place);
    let mut query = start(Arc::clone(&committer) as _, 1);
    query.take_over().await.unwrap();
    let mut faults = [Fault::Fails; 6];
    faults[0] = Fault::LosesAnswer;
    committer.next(&faults);
    let error = query.log_offsets(&batch(0, 3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let other = Batch {
        time: UnixMillis(9),
        ..batch(0, 3)
    };
    assert_eq!(query.log_offsets(&other).await.unwrap(), Logged::Taken);
    let recovered = query.take_over().await.unwrap().expect("a batch");
    assert_eq!(recovered.batch, batch(0, 3));
}

#[tokio::test]
async fn an_entry_of_an_older_run_is_kept() {
    let place = TestLocation::memory();
    let (mut old, mut new) = (start(place.open(), 1), start(place.open(), 2));
    old.take_over().await.unwrap();
    old.log_offsets(&batch(0, 3)).await.unwrap();
    old.log_commit(BatchId(0), UnixMillis(1), &Committed::default())
        .await
        .unwrap();
    new.take_over().await.unwrap();
    let other = Batch {
        time: UnixMillis(9),
        ..batch(0, 3)
    };
    assert_eq!(new.log_offsets(&other).await.unwrap(), Logged::Taken);
    let logged = new
        .log_commit(BatchId(0), UnixMillis(2), &Committed::default())
        .await
        .unwrap();
    assert_eq!(logged, Logged::Taken);
}

#[tokio::test]
async fn a_fenced_run_stops_and_names_the_newer_one() {
    let place = TestLocation::memory();
    let committer = faulty(&place);
    let (mut old, mut new) = (
        start(Arc::clone(&committer) as _, 1),
        start(place.open(), 2),
    );
    old.take_over().await.unwrap();
    new.take_over().await.unwrap();
    new.log_offsets(&batch(0, 3)).await.unwrap();
    let error = old.log_offsets(&batch(0, 3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let text = error.to_string();
    for part in [
        place.location(),
        "(epoch 1,",
        "by epoch 2;",
        "its own checkpoint location",
    ] {
        assert!(text.contains(part), "{text}");
    }

    // It checks the epoch before the newer one is taken, and writes after the newer run has written.
    committer.next(&[Fault::OvertakesFence]);
    let error = old.log_offsets(&batch(0, 3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let run = format!("{:016x}", fastrand::Rng::with_seed(2).u64(..));
    let by = format!("by epoch 2 (run {run} wrote offsets/0)");
    assert!(error.to_string().contains(&by), "{error}");
}

#[tokio::test]
async fn a_purge_resumes_after_failures_without_failing_the_batch() {
    let place = TestLocation::memory();
    let committer = faulty(&place);
    let mut query = Checkpoint::new(
        Arc::clone(&committer) as _,
        RETRY,
        1000,
        fastrand::Rng::with_seed(1),
    );
    query.take_over().await.unwrap();
    for id in 0..50 {
        query.log_offsets(&batch(id, 1)).await.unwrap();
        query
            .log_commit(BatchId(id), UnixMillis(1), &Committed::default())
            .await
            .unwrap();
        query.purge(BatchId(id)).await;
    }
    let listed = committer.batches(Log::Offsets).await.unwrap();
    assert_eq!(listed.len(), 50, "fewer than are retained");

    let mut query = start(Arc::clone(&committer) as _, 2);
    query.take_over().await.unwrap();
    for fault in [Fault::LosesAnswer, Fault::Fails] {
        committer.next(&[fault]);
        query.purge(BatchId(49)).await;
    }
    let calls = committer.calls();
    for _ in 0..4 {
        query.purge(BatchId(49)).await;
    }
    assert_eq!(
        committer.calls() - calls,
        2 * 47,
        "each is deleted once, nothing is listed"
    );
    for log in [Log::Offsets, Log::Commits] {
        let listed = committer.batches(log).await.unwrap();
        assert_eq!(listed, [47, 48, 49].map(BatchId));
    }
}

#[tokio::test]
async fn writing_before_an_epoch_is_taken_is_an_error() {
    let place = TestLocation::memory();
    let error = start(place.open(), 1)
        .log_offsets(&batch(0, 1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(place.open().batches(Log::Offsets).await.unwrap(), []);
}

/// Entries of many shards are encoded and read on blocking threads.
#[tokio::test(start_paused = true)]
async fn a_batch_of_many_shards_round_trips() {
    let place = TestLocation::memory();
    let mut first = start(place.open(), 1);
    first.take_over().await.unwrap();
    let planned = batch(0, 3_000);
    assert_eq!(first.log_offsets(&planned).await.unwrap(), Logged::Done);
    let times = (0..3_000).map(|shard| {
        let id = ShardId::new(format!("shardId-{shard:012}"));
        (id, UnixMillis(shard))
    });
    let input = InputProgress {
        watermark: Some(UnixMillis(7)),
        event_times: vec![times.collect()],
    };
    let left = aggregated(input, None);
    let logged = first.log_commit(BatchId(0), UnixMillis(1), &left).await;
    assert_eq!(logged.unwrap(), Logged::Done);
    let mut second = start(place.open(), 2);
    let recovered = second.take_over().await.unwrap().unwrap();
    assert_eq!(recovered.batch, planned);
    assert!(recovered.committed);
    assert_eq!(recovered.before, left);
}
