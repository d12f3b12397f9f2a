//! Random aggregations: however many batches and starts there are, the result is that of one query
//! over all rows.
//!
//! `GROUPED_SEED=7` runs one case and prints it; `GROUPED_SEEDS=2000` runs that many cases.

mod aggregates;
mod apart;
mod compare;
mod late;
mod lives;
mod query;
mod rows;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::{env, thread};

use datafusion::arrow::array::{BinaryArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::MemTable;
use datafusion_kinesis::model::OutputMode;
use datafusion_kinesis::sql;
use fastrand::Rng;

use self::compare::{Groups, Line, lines};
use self::lives::{Given, Life, live};
use self::query::Query;
use self::rows::{Round, Source, Times};
use crate::support::{World, say};

/// Default number of cases.
const SEEDS: u64 = 100;

/// The engine's error for aggregates that require conflicting row orders.
const CONFLICT: &str = "Conflicting ordering requirements";

/// Enough for the engine's plans, which are built recursively.
const STACK_BYTES: usize = 16 << 20;

/// A query, the rows it reads, and when it is killed.
#[derive(Debug)]
struct Case {
    seed: u64,
    query: Arc<Query>,
    shards: u32,
    rounds: Vec<Round>,
    lives: Vec<Life>,
    /// Settings for computing all rows at once.
    once: Life,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Query {
            sql, mode, delay, ..
        } = &*self.query;
        writeln!(f, "seed {}: {sql}", self.seed)?;
        writeln!(f, "mode {mode}, delay {delay:?}, {} shards", self.shards)?;
        for life in &self.lives {
            writeln!(f, "{life:?}")?;
        }
        for round in &self.rounds {
            let rows = round
                .rows
                .iter()
                .map(|row| format!("{}:{}", row.shard, row.text()));
            let rows: Vec<String> = rows.collect();
            writeln!(f, "[{}] {:?}", rows.join(" "), round.rest)?;
        }
        Ok(())
    }
}

impl Case {
    fn of(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let query = Query::draw(&mut random);
        let shards = random.u32(1..=4);
        let times = match query.delay {
            Some(delay) => Times::Behind(delay.as_millis() as i64),
            None => Times::Anyhow,
        };
        Self::over(&mut random, seed, query, shards, times)
    }

    /// `query` over random rows.
    fn over(random: &mut Rng, seed: u64, query: Query, shards: u32, times: Times) -> Self {
        let mut source = Source::new(random, shards, times);
        let count = [2, 3, 4, 6, 8, 24][source.random.usize(..6)];
        let mut rounds: Vec<Round> = (0..count).map(|_| source.round()).collect();
        rounds.push(source.last());
        let deaths = random.usize(0..=3);
        let lives = (0..=deaths).map(|life| Life::draw(random, life == deaths));
        let mut case = Self {
            seed,
            query: Arc::new(query),
            shards,
            rounds,
            lives: lives.collect(),
            once: Life::draw(random, true),
        };
        // The engine panics when a partial aggregation of these gives up.
        if case.query.sql.contains("percentile_cont(") {
            let lives = case.lives.iter_mut().chain([&mut case.once]);
            lives.for_each(Life::never_give_up);
        }
        case
    }

    /// The result of one query over all rows.
    async fn at_once(&self) -> Result<Groups, String> {
        let world = World::new();
        self.once.set(&world).await;
        let rows = self.rounds.iter().flat_map(|round| &round.rows);
        let rows = rows.filter(|row| row.id.is_none_or(|id| id >= 0));
        let texts: Vec<String> = rows.map(rows::Row::text).collect();
        let schema = Schema::new(vec![Field::new("data", DataType::Binary, false)]);
        let schema = Arc::new(schema);
        let parts = texts.chunks(texts.len().div_ceil(3).max(1)).map(|texts| {
            let data = BinaryArray::from_iter_values(texts);
            let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(data)]);
            vec![rows.unwrap()]
        });
        let table = MemTable::try_new(Arc::clone(&schema), parts.collect()).unwrap();
        world.ctx.register_table("words", Arc::new(table)).unwrap();
        let found = sql(&world.ctx, &self.query.over_words()).await;
        let found = found.map_err(|error| format!("at once: {error}"))?;
        let found = found.collect().await;
        let found = found.map_err(|error| format!("at once: {error}"))?;
        self.query.groups(&lines(&found))
    }

    /// The number of late rows of the last start, and the rows of each batch.
    async fn stream(&self) -> Result<(u64, Vec<Vec<Line>>), String> {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        // In-memory stores live as long as the process.
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let place = format!("memory://grouped-at-random-{run}");
        let given = Given::default();
        let Self {
            query,
            rounds,
            lives,
            ..
        } = self;
        let late = live(query, self.shards, rounds, lives, &given, &place).await?;
        Ok((late, given.batches()?))
    }

    async fn run(&self) -> Result<(), String> {
        let expected = match self.at_once().await {
            Err(error) if error.contains(CONFLICT) => return Ok(()),
            expected => expected?,
        };
        let (_, batches) = self.stream().await?;
        let query = &self.query;
        let found = match query.mode {
            OutputMode::Complete => query.groups(batches.last().ok_or("no batch ran")?)?,
            OutputMode::Update => query.newest(batches.iter())?,
            OutputMode::Append => query.groups(&batches.concat())?,
        };
        query.differs(&expected, &found).map_or(Ok(()), Err)
    }
}

/// Runs a case in its own runtime. Returns what is wrong.
fn tried(case: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    match catch_unwind(AssertUnwindSafe(|| runtime.block_on(case))) {
        Ok(ran) => ran,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(text.unwrap_or("panic without a message").to_owned())
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={text}: expected a number")))
}

/// Runs the cases of all seeds on all cores. Fails with the first wrong one.
fn check(run: impl Fn(u64) -> (Case, Result<(), String>) + Sync) {
    let only = number("GROUPED_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 0..number("GROUPED_SEEDS").unwrap_or(SEEDS),
    };
    let (next, wrong) = (AtomicU64::new(seeds.start), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let (case, outcome) = run(seed);
            if only.is_some() {
                say(&case.to_string());
            }
            if let Err(text) = outcome {
                wrong.lock().unwrap().insert(seed, format!("{case}{text}"));
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
    let wrong = wrong.into_inner().unwrap();
    if let Some((seed, first)) = wrong.first_key_value() {
        say(&format!("again with GROUPED_SEED={seed}: {first}"));
        panic!("wrong: {:?}", wrong.keys());
    }
}

#[test]
fn batches_give_the_result_of_one_query_over_all_rows() {
    check(|seed| {
        let case = Case::of(seed);
        let outcome = tried(case.run());
        (case, outcome)
    });
}
