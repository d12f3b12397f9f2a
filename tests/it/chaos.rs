//! Random simulations by seed: producers with counted records, reshards, faults of the service and
//! of the log, clock jumps, and a query that is killed repeatedly. In a tenth of them, query and producers use
//! the service over HTTP.
//!
//! `CHAOS_SEED=7` runs one simulation and prints its trace; `CHAOS_SEEDS=1000` runs that many.

mod book;
mod events;
mod ground;
mod groups;
mod killer;
mod lives;
mod over_http;
mod schedule;
mod sink;
mod store;
mod tally;
mod verdict;
mod writers;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, thread};

use datafusion_kinesis::kinesis::Operation;
use datafusion_kinesis::model::WireFormat;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::ground::Ground;
use self::lives::Lives;
use self::schedule::{Schedule, Weather};
use self::tally::{Met, Tally};
use self::writers::write;
use crate::support::say;

/// Default number of simulations.
const SEEDS: u64 = 100;

/// Enough for the engine's plans, which are built recursively.
const STACK_BYTES: usize = 16 << 20;

/// Maximum simulated duration.
const LONGEST: Duration = Duration::from_secs(48 * 60 * 60);

/// The result of a simulation.
struct Outcome {
    tally: Tally,
    trace: String,
    wrong: Option<String>,
}

/// Runs a simulation in its own runtime, so that it depends only on its schedule.
fn simulate(schedule: &Schedule) -> Outcome {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    // In-memory stores live as long as the process.
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let location = format!("memory://chaos-{run}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let ground = runtime.block_on(Ground::new(schedule, location));
    let running = AssertUnwindSafe(|| runtime.block_on(pass(schedule, &ground)));
    if let Err(panic) = catch_unwind(running) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let _clock = runtime.enter();
        ground.fault(text.unwrap_or("a panic without a message"));
    }
    let mut tally = ground.tally.lock().unwrap_or_else(PoisonError::into_inner);
    let subscriptions = ground.kinesis.calls(Operation::SubscribeToShard);
    tally.add(Met::Subscriptions, subscriptions);
    match schedule.service.over_http {
        None => {}
        Some(WireFormat::Cbor) => tally.add(Met::SchedulesInCbor, 1),
        Some(_) => tally.add(Met::SchedulesInJson, 1),
    }
    tally.close();
    Outcome {
        tally: tally.clone(),
        trace: ground.trace(),
        wrong: ground.first_fault(),
    }
}

/// Runs the schedule, then ends all faults, runs a last start, and checks the result.
async fn pass(schedule: &Schedule, ground: &Arc<Ground>) {
    let all = async {
        let began = Instant::now();
        let until = began + schedule.length;
        let mut writers = JoinSet::new();
        for (number, plan) in schedule.writers.iter().enumerate() {
            writers.spawn(write(Arc::clone(ground), number, plan.clone(), until));
        }
        let mut lives = Lives::new(ground, schedule.start);
        let happening = events::happen(ground, began, &schedule.events);
        tokio::join!(happening, lives.pass(&schedule.lives, until));
        ground.set_weather(Weather::Calm);
        while let Some(writer) = writers.join_next().await {
            writer.unwrap();
        }
        lives.finish(&schedule.last).await;
        verdict::pass(ground, schedule.start).await;
        ground.clean_up().await;
    };
    if timeout(LONGEST, all).await.is_err() {
        ground.fault("the simulation did not end");
    }
}

/// Runs the simulations of `seeds` on all cores. Returns the combined tally, or the first failure.
fn simulate_all(seeds: Range<u64>, traced: bool) -> Result<Tally, Box<(Schedule, Outcome)>> {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Tally::default());
    let wrong = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || !wrong.lock().unwrap().is_empty() {
                return;
            }
            let schedule = Schedule::of(seed);
            let outcome = simulate(&schedule);
            if traced {
                say(&format!("{schedule}{}", outcome.trace));
            }
            *total.lock().unwrap() += &outcome.tally;
            if outcome.wrong.is_some() {
                wrong.lock().unwrap().insert(seed, (schedule, outcome));
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..cores {
            let thread = thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, work).unwrap();
        }
    });
    match wrong.into_inner().unwrap().pop_first() {
        Some((_, wrong)) => Err(Box::new(wrong)),
        None => Ok(total.into_inner().unwrap()),
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: expected a number")),
    )
}

#[test]
fn under_random_faults_each_row_arrives_once_and_in_order() {
    let only = number("CHAOS_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 0..number("CHAOS_SEEDS").unwrap_or(SEEDS),
    };
    let many = seeds.end - seeds.start >= SEEDS;
    match simulate_all(seeds, only.is_some()) {
        Err(failed) => {
            let (schedule, Outcome { trace, wrong, .. }) = *failed;
            let seed = schedule.seed;
            if only.is_none() {
                say(&format!("{schedule}{trace}"));
            }
            panic!(
                "again with CHAOS_SEED={seed}: {}",
                wrong.unwrap_or_default()
            );
        }
        Ok(tally) => {
            say(&format!("chaos:\n{tally}"));
            if many {
                assert_eq!(tally.unmet(), [""; 0], "never met");
            }
        }
    }
}

#[test]
fn a_seed_runs_the_same_way_every_time() {
    for seed in [1, 2, 3, 4, 11, 33] {
        let schedule = Schedule::of(seed);
        let [once, again] = [0, 1].map(|_| simulate(&schedule).trace);
        let differs = once.lines().zip(again.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(once, again, "seed {seed}");
    }
}
