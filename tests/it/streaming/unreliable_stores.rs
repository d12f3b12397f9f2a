//! Queries on a store that loses responses, is temporarily unavailable, or is shared with another
//! run.

use super::scripted_committer::{Outcome, Scripted, Store};
use super::*;
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::checkpoint::{Log, ObjectStoreCommitter, OffsetCommitter};

const LOGS: [Log; 2] = [Log::Offsets, Log::Commits];

/// Batches per run, with ten rows each.
const BATCHES: u64 = 3;

/// Starts a query with its own committer.
async fn start(world: &World, sink: &Sink, committer: &Arc<Scripted>) -> StreamingQuery {
    let query = sink.of(words(world)).as_in_another_process();
    let committer = Arc::<Scripted>::clone(committer);
    query.with_committer(committer).start().await.unwrap()
}

/// Puts the rows of a batch.
async fn put(world: &World, batch: u64) {
    for n in batch * 10..(batch + 1) * 10 {
        world.put("words", &n.to_string(), n.to_string()).await;
    }
}

/// Resumes, and asserts that each row was processed exactly once.
async fn expect_all(world: &World, store: &Arc<Store>, sink: &Sink, context: &str) {
    let query = start(world, sink, &Scripted::new(store, &[])).await;
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let rows: Vec<_> = (0..BATCHES * 10).collect();
    assert_eq!(sink.numbers(), rows, "{context}");
    let batches: Vec<_> = (0..sink.batches().len() as u64).collect();
    assert_eq!(sink.batches(), batches, "{context}");
    for log in LOGS {
        assert_eq!(store.batches(log), batches, "{context}");
    }
}

/// Runs a query over all batches once per put, with the script for that put.
async fn for_every_put(
    script: impl Fn(Log, u64) -> Vec<(Log, u64, Outcome)>,
    ends: Option<ErrorKind>,
) {
    for (log, at) in LOGS
        .into_iter()
        .flat_map(|log| (0..BATCHES).map(move |at| (log, at)))
    {
        let context = format!("{}/{at}", log.name());
        let (world, store, sink) = (world(2).await, Arc::default(), Sink::default());
        let committer = Scripted::new(&store, &script(log, at));
        let query = start(&world, &sink, &committer).await;
        for batch in 0..BATCHES {
            put(&world, batch).await;
            // The query may have failed; that is checked below.
            let _ = query.process_all_available().await;
        }
        assert!(committer.is_finished(), "{context}");
        let error = query.error().map(|error| error.kind());
        assert_eq!(error, ends, "{context}");
        query.stop().await.unwrap_or_default();
        expect_all(&world, &store, &sink, &context).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_to_any_put_does_not_end_the_query() {
    for_every_put(|log, at| vec![(log, at, Outcome::LosesResponse)], None).await;
    for_every_put(
        |log, at| vec![(log, at, Outcome::LosesResponse), (log, at, Outcome::Fails)],
        None,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_temporarily_unavailable_store_does_not_end_the_query() {
    for_every_put(|log, at| vec![(log, at, Outcome::Fails); 5], None).await;
}

#[tokio::test(start_paused = true)]
async fn a_permanently_unavailable_store_ends_the_query_and_the_next_start_resumes() {
    let failing = Some(ErrorKind::Unavailable);
    for_every_put(|log, at| vec![(log, at, Outcome::Fails); 6], failing).await;
    let lost = |log, at| {
        let mut script = vec![(log, at, Outcome::LosesResponse)];
        script.extend(vec![(log, at, Outcome::Fails); 5]);
        script
    };
    for_every_put(lost, failing).await;
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_store_at_the_start_is_waited_for() {
    for calls in 1..=5 {
        let (world, store, sink) = (world(1).await, Arc::<Store>::default(), Sink::default());
        store.fail_next(calls);
        let query = start(&world, &sink, &Scripted::new(&store, &[])).await;
        for batch in 0..BATCHES {
            put(&world, batch).await;
        }
        store.fail_next(calls);
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
        expect_all(&world, &store, &sink, &calls.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_epoch_fences_any_put() {
    let script = |log, at| vec![(log, at, Outcome::FencedBefore)];
    for_every_put(script, Some(ErrorKind::Fenced)).await;
}

/// The older run has passed the epoch check of its put of `log` for batch 1 when the newer run
/// takes over, and writes before the newer run gets to the same put.
async fn overtaken(log: Log) {
    let (world, store, sink) = (world(2).await, Arc::default(), Sink::default());
    let notify = || Arc::new(Notify::new());
    let (passed, go, begun, on) = (notify(), notify(), notify(), notify());
    let held = Outcome::BlocksBeforeWrite {
        passed: Arc::clone(&passed),
        go: Arc::clone(&go),
    };
    let older = start(&world, &sink, &Scripted::new(&store, &[(log, 1, held)])).await;
    put(&world, 0).await;
    older.process_all_available().await.unwrap();
    put(&world, 1).await;
    passed.notified().await;
    // The newer run plans a larger batch.
    put(&world, 2).await;
    let waits = Outcome::BlocksAtStart {
        begun: Arc::clone(&begun),
        go: Arc::clone(&on),
    };
    let newer = Scripted::new(&store, &[(log, 1, waits)]);
    let newer = start(&world, &sink, &newer).await;
    begun.notified().await;
    go.notify_one();
    while !store.batches(log).contains(&1) {
        tokio::task::yield_now().await;
    }
    let planned = store.batches(Log::Offsets);
    assert_eq!(planned, [0, 1], "the older run has written");
    on.notify_one();
    let error = older.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    newer.process_all_available().await.unwrap();
    assert_eq!(newer.error().map(|error| error.to_string()), None);
    newer.stop().await.unwrap();
    assert_eq!(sink.batches(), [0, 1, 2]);
    let second = sink.0.lock().unwrap()[&1].clone();
    let rows: Vec<_> = (10..20).map(|n| n.to_string()).collect();
    assert_eq!(second, rows, "as planned by the older run");
    expect_all(&world, &store, &sink, log.name()).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_planned_by_an_older_run_is_executed() {
    overtaken(Log::Offsets).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_committed_by_an_older_run_is_done() {
    overtaken(Log::Commits).await;
}

#[tokio::test(start_paused = true)]
async fn an_insert_can_use_a_committer() {
    let (world, store) = (world(1).await, Arc::<Store>::default());
    let insert = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words";
    for rows in [10, 20] {
        let query = StreamingQuery::builder(&world.ctx, insert);
        let query = query.with_committer(Scripted::new(&store, &[]));
        put(&world, rows / 10 - 1).await;
        let query = query.start().await.unwrap();
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
        assert_eq!(world.number("SELECT count(*) FROM out").await, rows);
    }
}

#[tokio::test(start_paused = true)]
async fn a_select_without_a_checkpoint_leaves_nothing_behind() {
    let (world, sink) = (world(1).await, Sink::default());
    put(&world, 0).await;
    let query = sink.of(words(&world)).start().await.unwrap();
    query.process_all_available().await.unwrap();
    assert_eq!(sink.numbers().len(), 10);
    let location = format!("memory://query-{}", query.run_id());
    let committer = ObjectStoreCommitter::open(&location).unwrap();
    assert_eq!(committer.batches(Log::Offsets).await.unwrap(), []);
    assert_eq!(committer.metadata().await.unwrap(), None);
}
