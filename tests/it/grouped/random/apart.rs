//! Shards that are far apart in event time, read in small batches with all triggers and across
//! restarts: no row is late, and each window has all its rows.

use std::time::Duration;

use datafusion_kinesis::Error;
use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{StreamName, Trigger};

use super::late::{Book, Kind, windows};
use super::lives::{builder, put};
use super::rows::Times;
use super::*;

/// Distances between shards.
const DISTANCES: [i64; 4] = [0, 1_000, 60_000, 3_600_000];

/// How a start reads.
#[derive(Debug, Clone, Copy)]
struct Reading {
    trigger: Trigger,
    rows_per_shard: u64,
}

impl Reading {
    fn draw(random: &mut Rng) -> Self {
        let triggers = [
            Trigger::AsFastAsPossible,
            Trigger::ProcessingTime(Duration::from_millis(500)),
            Trigger::AvailableNow,
            Trigger::Once,
        ];
        Self {
            trigger: triggers[random.usize(..triggers.len())],
            rows_per_shard: [1, 2, 3, 7][random.usize(..4)],
        }
    }

    fn table(self) -> String {
        let rows_per_shard = self.rows_per_shard;
        format!(
            "CREATE UNBOUNDED EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' OPTIONS \
             ('kinesis.startingPosition' 'TRIM_HORIZON', \
             'kinesis.maxFetchRecordsPerShard' '{rows_per_shard}')"
        )
    }

    fn ends_by_itself(self) -> bool {
        matches!(self.trigger, Trigger::AvailableNow | Trigger::Once)
    }
}

/// A case with distant shards, and how each of its starts reads.
fn apart_case(seed: u64) -> (Case, Kind, Vec<Reading>) {
    let mut random = Rng::with_seed(seed ^ 0xFA4);
    let random = &mut random;
    let kind = Kind::draw(random);
    let query = windows(random, kind);
    let delay = query.delay.map_or(0, |delay| delay.as_millis() as i64);
    let shards = random.u32(2..=5);
    let mut case = Case::over(random, seed, query, shards, Times::Behind(delay));
    let readings = case.lives.iter().map(|_| Reading::draw(random)).collect();
    let mut source = Source::new(random, shards, Times::Behind(delay));
    let rounds = case.lives.iter().map(|_| {
        let ahead = (0..shards).map(|_| DISTANCES[source.random.usize(..DISTANCES.len())]);
        let ahead: Vec<i64> = ahead.collect();
        source.apart(&ahead, delay)
    });
    case.rounds = rounds.collect();
    case.rounds.push(source.ahead());
    (case, kind, readings)
}

/// Puts a round before each start, and rows that close all windows before the last one.
async fn live(case: &Case, readings: &[Reading], given: &Given) -> Result<(), String> {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let place = format!("memory://grouped-apart-{run}");
    let world = World::new();
    let stream = StreamName::new("words").unwrap();
    world
        .kinesis
        .create_stream(&stream, case.shards)
        .await
        .unwrap();
    let last = case.lives.len() - 1;
    for (number, (life, reading)) in case.lives.iter().zip(readings).enumerate() {
        put(&world, &case.rounds[number].rows, case.shards).await;
        if number == last {
            put(&world, &case.rounds[number + 1].rows, case.shards).await;
        }
        world.run("DROP TABLE IF EXISTS words").await;
        world.run(&reading.table()).await;
        life.set(&world).await;
        let query = builder(&world, &case.query)
            .with_trigger(reading.trigger)
            .with_checkpoint_location(&place);
        let (query, mut killed) = life.killed(given.of(&case.query, query));
        let ended = async {
            let running = query.start().await?;
            if reading.ends_by_itself() {
                running.await_termination().await?;
            } else {
                running.process_all_available().await?;
                tokio::time::sleep(Duration::from_secs(5)).await;
                running.stop().await?;
            }
            let progress = running.recent_progress();
            let states = progress
                .iter()
                .filter_map(|told| told.state_operator.as_ref());
            Ok::<_, Error>(
                states
                    .map(|state| state.rows_dropped_by_watermark)
                    .sum::<u64>(),
            )
        };
        let late = tokio::select! {
            biased;
            () = &mut killed => continue,
            late = ended => late.map_err(|error| error.to_string())?,
        };
        if late > 0 {
            return Err(format!("start {number}: {late} rows too late"));
        }
    }
    Ok(())
}

async fn run(case: &Case, kind: Kind, readings: &[Reading]) -> Result<(), String> {
    let mut book = Book::new(kind, case);
    book.batch(case.rounds.iter().flat_map(|round| &round.rows));
    let given = Given::default();
    live(case, readings, &given).await?;
    book.expect(&case.query, &given.batches()?)
}

#[test]
fn no_row_is_late_if_shards_are_far_apart_in_event_time() {
    check(|seed| {
        let (case, kind, readings) = apart_case(seed);
        let outcome = tried(run(&case, kind, &readings));
        let outcome = outcome.map_err(|error| format!("{readings:?}\n{error}"));
        (case, outcome)
    });
}
