//! Latency of rows, and the cost of an idle query.

use datafusion_kinesis::kinesis::Operation;
use datafusion_kinesis::model::{HashKey, ShardId, Trigger};
use tokio::time::{Instant, sleep};

use super::checkpoint_log::CheckpointLog;
use super::fault_proxy::FaultProxy;
use super::watched_committer::WatchedCommitter;
use super::*;
use crate::support::entry;

/// Time between two GetRecords of a shard.
const POLL: Duration = Duration::from_millis(200);
const SHARDS: u32 = 8;

/// Arrival time of each number.
#[derive(Debug, Clone, Default)]
struct Arrivals(Arc<Mutex<BTreeMap<u64, Instant>>>);

impl Arrivals {
    fn of(&self, builder: StreamingQueryBuilder) -> StreamingQueryBuilder {
        let arrivals = self.clone();
        builder.foreach_batch(move |batch, rows| {
            let arrivals = arrivals.clone();
            async move {
                let sink = Sink::default();
                sink.clone().take(batch, rows).await?;
                let mut taken = arrivals.0.lock().unwrap();
                for number in sink.numbers() {
                    assert!(
                        taken.insert(number, Instant::now()).is_none(),
                        "duplicate number {number}"
                    );
                }
                Ok(())
            }
        })
    }

    /// The latency of each number.
    fn waits(&self, put: &[(u64, Instant)]) -> Vec<Duration> {
        let taken = self.0.lock().unwrap();
        put.iter()
            .map(|(number, put)| taken[number] - *put)
            .collect()
    }
}

fn middle_of(shard: u32) -> HashKey {
    let width = u128::MAX / u128::from(SHARDS);
    HashKey(width * u128::from(shard) + width / 2)
}

/// Puts a number into one of the eight shards.
async fn put(world: &World, shard: u32, number: u64) -> (u64, Instant) {
    let stream = datafusion_kinesis::model::StreamIdentity::parse("words").unwrap();
    let entry = entry("k", number.to_string(), Some(middle_of(shard)));
    world.kinesis.put_record(&stream, &entry).await.unwrap();
    (number, Instant::now())
}

#[tokio::test(start_paused = true)]
async fn a_trickle_of_rows_arrives_within_one_poll() {
    for wait in ["", ", 'kinesis.maxFetchTimePerShardSec' '30'"] {
        let world = World::new();
        let options = format!("{FROM_THE_START}{wait}");
        world.unbounded_table("words", SHARDS, &options).await;
        let arrivals = Arrivals::default();
        let query = arrivals.of(words(&world)).start().await.unwrap();
        let mut written = Vec::new();
        for number in 0..30 {
            written.push(put(&world, number as u32 * 5 % SHARDS, number).await);
            sleep(Duration::from_millis(1_013)).await;
        }
        let slowest = arrivals.waits(&written).into_iter().max().unwrap();
        assert!(
            slowest <= POLL + Duration::from_millis(1),
            "{wait}: {slowest:?}"
        );
        assert_eq!(query.recent_progress().len(), 30, "{wait}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_shard_delays_no_other_and_catches_up() {
    for (wait, throttled_from_the_start) in [
        ("", false),
        ("", true),
        (", 'kinesis.maxFetchTimePerShardSec' '30'", false),
        (", 'kinesis.maxFetchTimePerShardSec' '30'", true),
    ] {
        let case = format!("{wait} {throttled_from_the_start}");
        let (world, front) = FaultProxy::world();
        let options = format!("{FROM_THE_START}{wait}");
        world.unbounded_table("words", SHARDS, &options).await;
        let arrivals = Arrivals::default();
        let slow = ShardId::new("shardId-000000000003");
        front.throttle(throttled_from_the_start.then(|| slow.clone()));
        let query = arrivals.of(words(&world)).start().await.unwrap();
        sleep(Duration::from_secs(1)).await;
        front.throttle(Some(slow));
        let (mut others, mut held) = (Vec::new(), Vec::new());
        for number in 0..120 {
            let shard = number as u32 % SHARDS;
            let put = put(&world, shard, number).await;
            if shard == 3 {
                held.push(put)
            } else {
                others.push(put)
            }
            sleep(Duration::from_millis(503)).await;
        }
        let slowest = arrivals.waits(&others).into_iter().max().unwrap();
        assert!(
            slowest <= POLL + Duration::from_millis(1),
            "{case}: {slowest:?}"
        );
        let taken = arrivals.0.lock().unwrap().len();
        assert_eq!(taken, others.len(), "{case}: rows of the throttled shard");
        let progress = query.last_progress().unwrap();
        assert!(progress.sources[0].metrics.throttled_calls > 5, "{case}");
        front.throttle(None);
        // At most the longest wait between two tries.
        sleep(Duration::from_secs(10) + POLL).await;
        assert_eq!(arrivals.0.lock().unwrap().len(), 120, "{case}");
        assert_eq!(arrivals.waits(&held).len(), 15, "{case}");
        let (last, _) = put(&world, 3, 120).await;
        sleep(POLL).await;
        assert!(arrivals.0.lock().unwrap().contains_key(&last), "{case}");
    }
}

/// Counts requests and log writes of a query that idles for an hour after it has read its rows.
async fn idle_hour(shards: u32, poll_millis: u64, trigger: Trigger, name: &str) {
    const HOUR: Duration = Duration::from_secs(3_600);
    let world = World::new();
    let options = format!("{FROM_THE_START}, 'kinesis.getRecords.fetchIntervalMs' '{poll_millis}'");
    world.unbounded_table("words", shards, &options).await;
    let place = format!("memory://idle-hour-{name}");
    let committer = WatchedCommitter::at(&place);
    let sink = Sink::default();
    let query = sink
        .of(words(&world))
        .with_checkpoint_location(&place)
        .with_committer(Arc::<WatchedCommitter>::clone(&committer))
        .with_trigger(trigger);
    let query = query.start().await.unwrap();
    world.put_numbers("words", 500).await;
    query.process_all_available().await.unwrap();
    let counts = || {
        let operations = [
            Operation::GetRecords,
            Operation::ListShards,
            Operation::GetShardIterator,
            Operation::DescribeStreamSummary,
        ];
        operations.map(|operation| world.kinesis.calls(operation))
    };
    let (before, calls, batches) = (counts(), committer.calls(), query.recent_progress().len());
    let ledger = CheckpointLog::of(&place).await;
    sleep(HOUR).await;
    let after = counts();
    let spent: Vec<u64> = before.iter().zip(after).map(|(a, b)| b - a).collect();
    let millis = HOUR.as_millis() as u64;
    let fetches = u64::from(shards) * (millis / poll_millis + 1);
    assert!(
        spent[0] <= fetches,
        "{name}: {} GetRecords, {fetches} allowed",
        spent[0]
    );
    // It is idle but still polling.
    assert!(
        spent[0] >= fetches - 2 * u64::from(shards),
        "{name}: {} GetRecords",
        spent[0]
    );
    assert!(
        (3_599..=3_601).contains(&spent[1]),
        "{name}: {} ListShards",
        spent[1]
    );
    assert_eq!(spent[2], 0, "{name}");
    // The retention of the stream is checked every ten minutes.
    assert_eq!(spent[3], 6, "{name}");
    assert_eq!(committer.calls(), calls, "{name}: log calls");
    assert_eq!(CheckpointLog::of(&place).await, ledger, "{name}");
    assert_eq!(query.recent_progress().len(), batches, "{name}");
    world.put("words", "k", "500").await;
    query.process_all_available().await.unwrap();
    assert_eq!(sink.numbers(), (0..=500).collect::<Vec<_>>(), "{name}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_writes_nothing_and_polls_once_per_interval() {
    idle_hour(1, 200, Trigger::AsFastAsPossible, "one").await;
    let tick = Trigger::ProcessingTime(Duration::from_secs(1));
    idle_hour(1, 1_000, tick, "ticking").await;
    idle_hour(50, 10_000, Trigger::AsFastAsPossible, "fifty").await;
}

/// Folder modification times reveal any change of files.
#[tokio::test(start_paused = true)]
async fn an_idle_hour_touches_no_file() {
    let world = world(1).await;
    let folder = crate::support::folder("idle-files");
    let query = Sink::default()
        .of(words(&world))
        .with_checkpoint_location(folder.to_str().unwrap());
    let query = query.start().await.unwrap();
    world.put("words", "k", "1").await;
    query.process_all_available().await.unwrap();
    let times = || {
        let folders = ["", "offsets", "commits", "epochs"].map(|name| folder.join(name));
        let files = folders
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let paths: std::collections::BTreeSet<_> = files
            .map(|file| file.unwrap().path())
            .chain(folders.iter().cloned())
            .collect();
        let paths = paths.into_iter();
        let times = paths.map(|path| (path.metadata().unwrap().modified().unwrap(), path));
        times.collect::<Vec<_>>()
    };
    let before = times();
    assert!(before.len() >= 8, "{before:?}");
    sleep(Duration::from_secs(3_600)).await;
    assert_eq!(times(), before);
    let now = query.status().message;
    assert_eq!(now, "Waiting for data to arrive");
    drop(query);
    std::fs::remove_dir_all(folder).unwrap();
}
