//! Queries over a store that loses answers, is away for a while, or has others at it.

use super::scripted::{Act, Scripted, Store};
use super::*;
use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::checkpoint::{Log, ObjectStoreCommitter, OffsetCommitter};

const LOGS: [Log; 2] = [Log::Offsets, Log::Commits];

/// Batches a run has, of ten rows each.
const BATCHES: u64 = 3;

/// Starts a query over a handle of its own.
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

/// Goes on from whatever was left, and expects each row of the first batches once.
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

/// Runs a query with a script for each put in turn, once over all batches.
async fn for_every_put(script: impl Fn(Log, u64) -> Vec<(Log, u64, Act)>, ends: Option<ErrorKind>) {
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
            // What ended the query is looked at below.
            let _ = query.process_all_available().await;
        }
        assert!(committer.is_played(), "{context}");
        let error = query.error().map(|error| error.kind());
        assert_eq!(error, ends, "{context}");
        query.stop().await.unwrap_or_default();
        expect_all(&world, &store, &sink, &context).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_ends_nothing_at_any_put() {
    for_every_put(|log, at| vec![(log, at, Act::LosesAnswer)], None).await;
    for_every_put(
        |log, at| vec![(log, at, Act::LosesAnswer), (log, at, Act::Fails)],
        None,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_while_ends_nothing_at_any_put() {
    for_every_put(|log, at| vec![(log, at, Act::Fails); 5], None).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_ends_the_query_and_the_next_start_goes_on() {
    let away = Some(ErrorKind::Unavailable);
    for_every_put(|log, at| vec![(log, at, Act::Fails); 6], away).await;
    let lost = |log, at| {
        let mut script = vec![(log, at, Act::LosesAnswer)];
        script.extend(vec![(log, at, Act::Fails); 5]);
        script
    };
    for_every_put(lost, away).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_at_the_start_is_waited_for() {
    for calls in 1..=5 {
        let (world, store, sink) = (world(1).await, Arc::<Store>::default(), Sink::default());
        store.go_away_for(calls);
        let query = start(&world, &sink, &Scripted::new(&store, &[])).await;
        for batch in 0..BATCHES {
            put(&world, batch).await;
        }
        store.go_away_for(calls);
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
        expect_all(&world, &store, &sink, &calls.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_epoch_fences_at_any_put() {
    let script = |log, at| vec![(log, at, Act::ComesTooLate)];
    for_every_put(script, Some(ErrorKind::Fenced)).await;
}

/// The older start is past the look at the epochs with its put of `log`, batch 1, when the newer one
/// takes over, and writes before the newer one comes to the same put.
async fn overtaken(log: Log) {
    let (world, store, sink) = (world(2).await, Arc::default(), Sink::default());
    let notify = || Arc::new(Notify::new());
    let (passed, go, begun, on) = (notify(), notify(), notify(), notify());
    let held = Act::IsHeld {
        passed: Arc::clone(&passed),
        go: Arc::clone(&go),
    };
    let older = start(&world, &sink, &Scripted::new(&store, &[(log, 1, held)])).await;
    put(&world, 0).await;
    older.process_all_available().await.unwrap();
    put(&world, 1).await;
    passed.notified().await;
    // The newer one cuts another batch, of more rows.
    put(&world, 2).await;
    let waits = Act::Waits {
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
    assert_eq!(planned, [0, 1], "the older one has written");
    on.notify_one();
    let error = older.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    newer.process_all_available().await.unwrap();
    assert_eq!(newer.error().map(|error| error.to_string()), None);
    newer.stop().await.unwrap();
    assert_eq!(sink.batches(), [0, 1, 2]);
    let second = sink.0.lock().unwrap()[&1].clone();
    let rows: Vec<_> = (10..20).map(|n| n.to_string()).collect();
    assert_eq!(second, rows, "as the older one has planned it");
    expect_all(&world, &store, &sink, log.name()).await;
}

#[tokio::test(start_paused = true)]
async fn what_an_older_start_has_planned_is_run() {
    overtaken(Log::Offsets).await;
}

#[tokio::test(start_paused = true)]
async fn what_an_older_start_has_committed_is_done() {
    overtaken(Log::Commits).await;
}

#[tokio::test(start_paused = true)]
async fn an_insert_may_keep_its_progress_in_a_committer() {
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
