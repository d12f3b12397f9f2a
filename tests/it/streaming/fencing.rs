//! Two runs of one query on one checkpoint: the older run is fenced, wherever it is.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::checkpoint::Log;

use super::checkpoint_log::{CheckpointLog, PLACED, placed_numbers, put_mixed};
use super::log_locations::{LogStore, placed};
use super::watched_committer::{Call, Side, WatchedCommitter};
use super::*;

const OPTIONS: &str = "'kinesis.startingPosition' 'TRIM_HORIZON',
    'kinesis.maxFetchRecordsPerShard' '15', 'kinesis.extraColumns' 'shardId,subSequenceNumber'";

/// Blocks a query at a step until it is released.
pub(crate) struct BlockAt {
    pub(crate) held: Arc<Notify>,
    pub(crate) go: Arc<Notify>,
    pub(crate) hook: StepHook,
}

impl BlockAt {
    pub(crate) fn at(step: Step, nth: usize) -> Self {
        let (held, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, waited, reached) = (Arc::clone(&held), Arc::clone(&go), Mutex::new(0));
        let hook = StepHook::new(move |now, _batch| {
            let mut reached = reached.lock().unwrap();
            *reached += usize::from(now == step);
            if now != step || *reached != nth {
                return std::future::ready(()).boxed();
            }
            told.notify_one();
            let waited = Arc::clone(&waited);
            async move { waited.notified().await }.boxed()
        });
        Self { held, go, hook }
    }
}

async fn stream() -> World {
    let world = World::new();
    world.unbounded_table("words", 3, OPTIONS).await;
    world
}

fn run(world: &World, place: &str, sink: &Sink) -> StreamingQueryBuilder {
    let builder = StreamingQuery::builder(&world.ctx, PLACED).as_in_another_process();
    placed(sink.of(builder), place)
}

/// Asserts that a message has the cause first, then the advice, then the batch.
fn check_words(message: &str) {
    let at = |part: &str| message.find(part);
    let (cause, advice) = (
        at("taken over").unwrap(),
        at("let that run continue").unwrap(),
    );
    assert!(cause < advice, "{message}");
    let (batch, ranges) = (at("batch "), at("stream 'words'"));
    assert!(batch.is_none_or(|batch| batch > advice), "{message}");
    assert!(ranges.is_none_or(|ranges| ranges > advice), "{message}");
}

/// Asserts the final state: one run is fenced, and the other has all rows exactly once.
async fn check(
    place: &str,
    written: u64,
    sink: &Sink,
    fenced: &StreamingQuery,
    winner: &StreamingQuery,
) {
    winner.process_all_available().await.unwrap();
    let ended = fenced.await_termination();
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    let error = ended.expect("the fenced run ends").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{place}: {error}");
    check_words(&error.to_string());
    assert!(winner.is_active(), "{place}");
    winner.stop().await.unwrap();
    assert_eq!(
        placed_numbers(sink),
        (0..written).collect::<Vec<_>>(),
        "{place}"
    );
    let ledger = CheckpointLog::of(place).await;
    ledger.check();
    ledger.check_rows(sink);
}

#[tokio::test(start_paused = true)]
async fn the_older_run_is_fenced_at_any_step() {
    at_any_step(LogStore::Memory).await;
}

pub(super) async fn at_any_step(keeper: LogStore) {
    for step in Step::ALL {
        let world = stream().await;
        let place = keeper.place(&format!("fenced-at-{step:?}"));
        let sink = Sink::default();
        let nth = if step < Step::Planned { 1 } else { 2 };
        let hold = BlockAt::at(step, nth);
        put_mixed(&world, 0, 60).await;
        let older = run(&world, &place, &sink).with_step_hook(hold.hook.clone());
        let older = older.start().await.unwrap();
        hold.held.notified().await;
        let newer = run(&world, &place, &sink).start().await.unwrap();
        newer.process_all_available().await.unwrap();
        put_mixed(&world, 60, 30).await;
        hold.go.notify_one();
        tokio::time::sleep(Duration::from_secs(1)).await;
        put_mixed(&world, 90, 30).await;
        // The run that took an epoch last is the newer one.
        let (fenced, winner) = match step {
            Step::TakingOver => (&newer, &older),
            _ => (&older, &newer),
        };
        check(&place, 120, &sink, fenced, winner).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_older_run_is_fenced_in_any_call() {
    in_any_call(LogStore::Memory).await;
}

pub(super) async fn in_any_call(keeper: LogStore) {
    let calls = [
        Call::TakeEpoch,
        Call::Batches(Log::Offsets),
        Call::Batches(Log::Commits),
        Call::Put(Log::Offsets),
        Call::Put(Log::Commits),
    ];
    for (call, side) in calls
        .into_iter()
        .flat_map(|call| [(call, Side::Before), (call, Side::After)])
    {
        let world = stream().await;
        let name = format!("fenced-in-{call:?}-{side:?}").replace(['(', ')'], "-");
        let place = keeper.place(&name);
        let (sink, committer) = (Sink::default(), WatchedCommitter::at(&place));
        match call {
            // A start also reads the log before it takes its epoch.
            Call::Batches(_) => committer.freeze_after(Call::TakeEpoch, call, side),
            _ => committer.freeze(call, side),
        }
        put_mixed(&world, 0, 60).await;
        let older = run(&world, &place, &sink);
        let older = older.with_committer(Arc::<WatchedCommitter>::clone(&committer));
        let older = older.start().await.unwrap();
        committer.frozen().await;
        let newer = run(&world, &place, &sink).start().await.unwrap();
        newer.process_all_available().await.unwrap();
        committer.thaw();
        tokio::time::sleep(Duration::from_secs(1)).await;
        put_mixed(&world, 60, 30).await;
        let (fenced, winner) = match (call, side) {
            (Call::TakeEpoch, Side::Before) => (&newer, &older),
            _ => (&older, &newer),
        };
        check(&place, 90, &sink, fenced, winner).await;
    }
}

/// The newer run purges the batch that the older run is about to read.
#[tokio::test(start_paused = true)]
async fn the_older_run_is_fenced_when_its_batch_was_purged() {
    for log in [Log::Offsets, Log::Commits] {
        let world = World::new();
        let options = format!("{OPTIONS}, 'kinesis.minBatchesToRetain' '1'");
        world.unbounded_table("words", 3, &options).await;
        let place = format!("memory://purged-{}", log.name());
        let (sink, committer) = (Sink::default(), WatchedCommitter::at(&place));
        put_mixed(&world, 0, 60).await;
        let first = run(&world, &place, &sink).start().await.unwrap();
        first.process_all_available().await.unwrap();
        first.stop().await.unwrap();
        committer.freeze_after(Call::TakeEpoch, Call::Get(log), Side::Before);
        let older = run(&world, &place, &sink);
        let older = older.with_committer(Arc::<WatchedCommitter>::clone(&committer));
        let older = older.start().await.unwrap();
        committer.frozen().await;
        put_mixed(&world, 60, 60).await;
        let newer = run(&world, &place, &sink).start().await.unwrap();
        newer.process_all_available().await.unwrap();
        committer.thaw();
        let error = older.await_termination().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced, "{place}: {error}");
        newer.stop().await.unwrap();
        assert_eq!(placed_numbers(&sink), (0..120).collect::<Vec<_>>());
    }
}

/// An entry of the older run is written after the newer run took over, and is valid for both.
#[tokio::test(start_paused = true)]
async fn an_entry_that_passed_the_fence_is_valid_for_the_newer_run() {
    for log in [Log::Offsets, Log::Commits] {
        let world = stream().await;
        let place = format!("memory://slipped-{}", log.name());
        let sink = Sink::default();
        let (old, new) = (WatchedCommitter::at(&place), WatchedCommitter::at(&place));
        put_mixed(&world, 0, 60).await;
        old.freeze(Call::Put(log), Side::Before);
        let older = run(&world, &place, &sink);
        let older = older.with_committer(Arc::<WatchedCommitter>::clone(&old));
        let older = older.start().await.unwrap();
        old.frozen().await;
        put_mixed(&world, 60, 30).await;
        let slipped = old.last_put.lock().unwrap().clone().unwrap();
        new.overtake(Call::Put(log), slipped.clone());
        let newer = run(&world, &place, &sink);
        let newer = newer.with_committer(Arc::<WatchedCommitter>::clone(&new));
        let newer = newer.start().await.unwrap();
        newer.process_all_available().await.unwrap();
        old.thaw();
        tokio::time::sleep(Duration::from_secs(1)).await;
        put_mixed(&world, 90, 30).await;
        let ledger = CheckpointLog::of(&place).await;
        let slipped: serde_json::Value = serde_json::from_slice(&slipped).unwrap();
        let entries = match log {
            Log::Offsets => ledger.offsets,
            Log::Commits => ledger.commits,
        };
        assert_eq!(entries[&0], slipped, "{place}");
        check(&place, 120, &sink, &older, &newer).await;
    }
}
