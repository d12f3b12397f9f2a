//! Random faults by seed: the service and the store fail, the stream is resharded, aggregates are
//! cut, and the query is killed repeatedly.

use std::env;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::kinesis::{
    FaultPlan, FaultRates, Kinesis, ListShardsFrom, Operation, ShardFilter,
};
use datafusion_kinesis::model::{HashKey, Shard, StreamIdentity};

use super::checkpoint_log::{CheckpointLog, PLACED, parts, placed_numbers, put_mixed};
use super::log_locations::{LogStore, placed};
use super::watched_committer::WatchedCommitter;
use super::*;

const OPTIONS: &str = "'kinesis.startingPosition' 'TRIM_HORIZON',
    'kinesis.maxFetchRecordsPerShard' '7', 'kinesis.extraColumns' 'shardId,subSequenceNumber',
    'kinesis.minBatchesToRetain' '1000000'";

fn faults() -> FaultPlan {
    let rates = FaultRates::default()
        .with_throttled(0.05)
        .with_internal_failure(0.05)
        .with_connection_lost(0.05)
        .with_answer_lost(0.05)
        .with_max_latency(Duration::from_millis(30));
    let reading = rates.with_expired_iterator(0.05).with_empty_page(0.1);
    FaultPlan::default()
        .with(Operation::GetRecords, reading)
        .with(Operation::GetShardIterator, rates)
        .with(Operation::ListShards, rates)
}

/// Splits a shard in the middle, or merges two adjacent shards.
async fn reshard(world: &World, random: &mut fastrand::Rng) {
    let stream = StreamIdentity::parse("words").unwrap();
    let from = ListShardsFrom::Start {
        stream: &stream,
        filter: ShardFilter::AtLatest,
    };
    let mut shards = world.kinesis.list_shards(from).await.unwrap().shards;
    shards.sort_by_key(|shard: &Shard| shard.hash_range.start);
    let chosen = random.usize(..shards.len() - 1);
    let (shard, next) = (&shards[chosen], &shards[chosen + 1]);
    if shards.len() > 5 || (shards.len() > 2 && random.bool()) {
        let merge = world.kinesis.merge_shards(&stream, &shard.id, &next.id);
        return merge.await.unwrap();
    }
    let range = shard.hash_range;
    let middle = HashKey(range.start.0 + (range.end.0 - range.start.0) / 2);
    let split = world.kinesis.split_shard(&stream, &shard.id, middle);
    split.await.unwrap();
}

/// Runs the query until a step, a point in time, or a transient error.
async fn life(world: &World, place: &str, sink: &Sink, random: &mut fastrand::Rng) -> bool {
    let committer = WatchedCommitter::at(place);
    committer.fail(0.1, random.u64(..));
    let step = Step::ALL[random.usize(..Step::ALL.len())];
    let freeze = Freeze::at(step, random.usize(1..4));
    let moment = Duration::from_millis(random.u64(1..3_000));
    let builder = placed(StreamingQuery::builder(&world.ctx, PLACED), place)
        .with_committer(committer)
        .with_step_hook(freeze.hook.clone())
        .with_seed(random.u64(..));
    let run = async {
        match sink.of(builder).start().await {
            Ok(query) => query.await_termination().await.unwrap_err(),
            Err(error) => error,
        }
    };
    tokio::select! {
        () = freeze.reached() => true,
        () = tokio::time::sleep(moment) => false,
        error = run => {
            let transient = error.kind() == ErrorKind::Unavailable;
            assert!(transient, "{error}");
            false
        }
    }
}

async fn storm(keeper: LogStore, seed: u64, lives: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new();
    world.unbounded_table("words", 3, OPTIONS).await;
    let (place, sink) = (keeper.place(&format!("storm-{seed}")), Sink::default());
    let (mut written, mut frozen) = (0, 0);
    world.kinesis.set_faults(faults());
    for round in 0..lives {
        let count = random.u64(0..40);
        put_mixed(&world, written, count).await;
        written += count;
        if round % 7 == 3 {
            world.kinesis.set_faults(FaultPlan::default());
            reshard(&world, &mut random).await;
            world.kinesis.set_faults(faults());
        }
        frozen += u64::from(life(&world, &place, &sink, &mut random).await);
    }
    assert!(
        frozen >= lives / 4,
        "{frozen} of {lives} lives reached their step"
    );
    world.kinesis.set_faults(FaultPlan::default());
    let query = sink.of(StreamingQuery::builder(&world.ctx, PLACED));
    let query = placed(query, &place).start().await.unwrap();
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    assert_eq!(placed_numbers(&sink), (0..written).collect::<Vec<_>>());
    let ledger = CheckpointLog::of(&place).await;
    ledger.check();
    ledger.check_rows(&sink);
    check_order(&sink);
}

/// Asserts that records of one key keep their order across batches and reshards.
fn check_order(sink: &Sink) {
    let mut last = BTreeMap::<(String, String), (u64, u64)>::new();
    for (batch, rows) in &*sink.0.lock().unwrap() {
        for row in rows {
            let [shard, sequence, _, number] = parts(row);
            let key = (shard.to_owned(), sequence.to_owned());
            let number: u64 = number.parse().unwrap();
            let (before, highest) = last.get(&key).copied().unwrap_or((*batch, 0));
            assert!(
                before == *batch || number > highest,
                "{row} is out of order"
            );
            last.insert(key, (*batch, highest.max(number)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn restarts_under_random_faults_lose_and_repeat_nothing() {
    let seeds = match env::var("STORM_SEED") {
        Ok(seed) => vec![(seed.parse().unwrap(), 100)],
        Err(_) => vec![(1, 100), (2, 25), (3, 25)],
    };
    lives(LogStore::Memory, &seeds).await;
}

/// Runs these seeds, each with its number of restarts.
pub(super) async fn lives(keeper: LogStore, seeds: &[(u64, u64)]) {
    for &(seed, lives) in seeds {
        let storm = std::panic::AssertUnwindSafe(storm(keeper, seed, lives)).catch_unwind();
        if let Err(panic) = storm.await {
            crate::support::say(&format!("again with STORM_SEED={seed}"));
            std::panic::resume_unwind(panic);
        }
    }
}
