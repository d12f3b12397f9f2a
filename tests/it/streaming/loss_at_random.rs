//! Days in the life of a query, at random: up and down, records and reshards now and then, and
//! retention behind it. A loss is told where records are lost, and nowhere else.

use std::collections::BTreeSet;

use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{
    FaultPlan, FaultRates, InMemoryKinesis, InMemoryOptions, Kinesis, Operation, TokioClock,
    TrimmedPosition,
};
use datafusion_kinesis::model::{Clock, StreamIdentity, StreamName, UnixMillis};
use datafusion_kinesis::{Services, register_with};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::peers::heard::Heard;
use crate::support::{EPOCH, say};

const SEEDS: u64 = 60;

const MINUTE: Duration = Duration::from_secs(60);

/// How long the simulator keeps records.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// For how long a query may be down before it has to doubt, less the time between two of its looks.
const DOWN: Duration = Duration::from_secs(17 * 3_600 + 1_800);

/// A machine whose clock is ahead of the service's, or behind it.
#[derive(Debug)]
struct Skewed {
    clock: TokioClock,
    ahead_millis: i64,
}

impl Clock for Skewed {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.clock.now().0 + self.ahead_millis)
    }
}

/// What has become of the records.
#[derive(Debug, Default)]
struct Records {
    /// When each arrived, by its number.
    arrived: Vec<Instant>,
    /// Those that are behind a batch for certain.
    settled: BTreeSet<u64>,
}

impl Records {
    /// Those that retention has taken and `read` has not.
    fn gone(&self, read: &BTreeSet<u64>) -> BTreeSet<u64> {
        let now = Instant::now();
        let arrived = (0..).zip(&self.arrived);
        let gone = arrived.filter(|(_, arrived)| now.duration_since(**arrived) > DAY);
        let unread = gone.filter(|(number, _)| !read.contains(number));
        unread.map(|(number, _)| number).collect()
    }
}

struct Days {
    world: World,
    stream: StreamIdentity,
    shards: u32,
    random: fastrand::Rng,
    place: String,
    taken: Arc<Mutex<BTreeSet<u64>>>,
    records: Records,
    /// When all that was there had been read.
    settled_at: Instant,
    /// Starts that were killed and had told of a loss, since then.
    heard: u64,
    /// What is gone and was told.
    told: BTreeSet<u64>,
    /// What happened so far, for who reads of a failure.
    story: Vec<String>,
}

impl Days {
    async fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let modes = [TrimmedPosition::Resumes, TrimmedPosition::Pinned];
        let options = InMemoryOptions {
            trimmed_positions: modes[random.usize(..2)],
            ..InMemoryOptions::default()
        };
        let clock = TokioClock::starting_at(EPOCH);
        let skewed = Skewed {
            clock,
            ahead_millis: [0, 0, 180_000, -180_000][random.usize(..4)],
        };
        let mut story = vec![format!("{:?}, {skewed:?}", options.trimmed_positions)];
        let kinesis = Arc::new(InMemoryKinesis::new(Arc::new(clock), options));
        let ctx = SessionContext::new();
        let service: Arc<dyn Kinesis> = Arc::<InMemoryKinesis>::clone(&kinesis);
        register_with(&ctx, Services::fixed(service).with_clock(Arc::new(skewed)));
        let world = World { kinesis, ctx };
        let shards = random.u32(1..=3);
        let start = ["TRIM_HORIZON", "LATEST"][random.usize(..2)];
        story.push(format!("{shards} shards from {start}"));
        let options = format!(
            "'kinesis.startingPosition' '{start}', 'kinesis.describeShardInterval' '1 hour',
             'kinesis.getRecords.fetchIntervalMs' '900000'"
        );
        let name = StreamName::new("words").unwrap();
        world.kinesis.create_stream(&name, shards).await.unwrap();
        sleep(2 * DAY * random.u32(..2)).await;
        world
            .unbounded_table_again("words", "words", &options)
            .await;
        Self {
            world,
            stream: StreamIdentity::parse("words").unwrap(),
            shards,
            random,
            place: format!("memory://loss-at-random-{seed}"),
            taken: Arc::default(),
            records: Records::default(),
            settled_at: Instant::now(),
            heard: 0,
            told: BTreeSet::new(),
            story,
        }
    }

    fn tell(&mut self, what: impl Into<String>) {
        let hours = Instant::now().duration_since(self.settled_at).as_secs_f64() / 3_600.0;
        self.story.push(format!("+{hours:.2} h: {}", what.into()));
    }

    async fn put(&mut self) {
        let number = self.records.arrived.len() as u64;
        self.records.arrived.push(Instant::now());
        let key = self.random.u64(..).to_string();
        self.world.put("words", &key, number.to_string()).await;
        self.tell(format!("record {number}"));
    }

    async fn reshard(&mut self) {
        let most = (self.shards * 2).min(4);
        let target = self.random.u32(self.shards.div_ceil(2)..=most);
        let kinesis = &self.world.kinesis;
        kinesis
            .update_shard_count(&self.stream, target)
            .await
            .unwrap();
        self.tell(format!("{} shards become {target}", self.shards));
        self.shards = target;
    }

    /// Lets this time pass, in which records come and shards change, or nothing does.
    async fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        let (records, reshards) = match self.random.u32(..3) {
            0 => (0, 0),
            1 => (self.random.u32(..3), self.random.u32(..2)),
            _ => (self.random.u32(..8), self.random.u32(..4)),
        };
        let mut events: Vec<(Duration, bool)> = Vec::new();
        for event in 0..records + reshards {
            let at = time.mul_f64(self.random.f64());
            events.push((at, event < records));
        }
        events.sort();
        let began = Instant::now();
        for (at, is_record) in events {
            tokio::time::sleep_until(began + at).await;
            if is_record {
                self.put().await;
            } else {
                self.reshard().await;
            }
        }
        tokio::time::sleep_until(until).await;
    }

    fn query(&self) -> StreamingQueryBuilder {
        let taken = Arc::clone(&self.taken);
        let query = words(&self.world).foreach_batch(move |_batch, rows| {
            let taken = Arc::clone(&taken);
            async move {
                let sink = Sink::default();
                sink.clone().take(BatchId(0), rows).await?;
                taken.lock().unwrap().extend(sink.numbers());
                Ok(())
            }
        });
        // No look for a stop lock twice a second.
        query.with_committer(places::open(&self.place))
    }

    /// A start that is killed at some step, or before it gets there.
    async fn killed(&mut self) {
        let step = Step::ALL[self.random.usize(..Step::ALL.len())];
        let freeze = Freeze::at(step, 1);
        let query = self.query().with_step_hook(freeze.hook.clone());
        let (heard, _listening) = Heard::listen();
        let run = async {
            let _query = query.start().await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = run => {}
            () = freeze.reached() => {}
            () = sleep(MINUTE) => {}
        }
        let lost = heard.has(&["records are lost"]);
        self.heard += u64::from(lost);
        self.tell(format!("killed at {step:?}, told of a loss: {lost}"));
    }

    /// Runs for this time, and reads all there is at first and at last.
    async fn runs(&mut self, time: Duration) {
        self.tell("started");
        let query = self.query().start().await.unwrap();
        self.settle(&query, 0).await;
        let before = losses(&query);
        self.pass(time).await;
        self.settle(&query, before).await;
        if self.random.bool() {
            query.stop().await.unwrap();
        }
        self.tell("ended");
    }

    /// Waits until all is read, and holds what was told of losses meanwhile against what is lost.
    async fn settle(&mut self, query: &StreamingQuery, before: u64) {
        let all = timeout(DAY, query.process_all_available()).await;
        assert!(
            matches!(all, Ok(Ok(()))),
            "{all:?} {} {:?} {:#?}",
            query.status().message,
            ledger::Ledger::of(&self.place)
                .await
                .offsets
                .last_key_value(),
            self.story
        );
        sleep(20 * MINUTE).await;
        let told = losses(query) - before + std::mem::take(&mut self.heard);
        let taken = self.taken.lock().unwrap().clone();
        let lost: BTreeSet<u64> = self.records.gone(&taken);
        let news = lost.difference(&self.told).count();
        let unsettled = self.records.gone(&self.records.settled);
        let repeated = unsettled.difference(&self.told).count() > 0;
        let down = Instant::now().duration_since(self.settled_at);
        self.tell(format!("{told} losses told, {lost:?} lost"));
        assert!(news == 0 || told > 0, "missed: {:#?}", self.story);
        let doubts = down > DOWN && before == 0;
        assert!(
            told == 0 || repeated || doubts,
            "a false alarm: {:#?}",
            self.story
        );
        let there = 0..self.records.arrived.len() as u64;
        let missing: Vec<_> = there
            .filter(|number| !taken.contains(number) && !lost.contains(number))
            .collect();
        assert!(
            missing.is_empty(),
            "{missing:?} not read: {:#?}",
            self.story
        );
        self.told.extend(unsettled);
        self.records.settled = taken;
        self.settled_at = Instant::now();
    }
}

fn losses(query: &StreamingQuery) -> u64 {
    let message = query.status().message;
    let told = message
        .rsplit_once('(')
        .filter(|(_, told)| told.contains("data loss"));
    told.map_or(0, |(_, told)| {
        told.split(' ').next().unwrap().parse().unwrap()
    })
}

async fn days(seed: u64) -> (usize, usize) {
    let mut days = Days::new(seed).await;
    let query = days.query().start().await.unwrap();
    query.process_all_available().await.unwrap();
    days.put().await;
    days.settle(&query, 0).await;
    drop(query);
    if days.random.u32(..3) == 0 {
        let rates = FaultRates {
            throttled: 0.2,
            expired_iterator: 0.05,
            ..FaultRates::default()
        };
        let plan = FaultPlan::default().with(Operation::GetRecords, rates);
        let rates = FaultRates {
            expired_iterator: 0.0,
            ..rates
        };
        let plan = plan.with(Operation::GetShardIterator, rates);
        days.world.kinesis.set_faults(plan);
        days.tell("throttled");
    }
    for _ in 0..days.random.u32(4..10) {
        let hours = match days.random.u32(..6) {
            0..3 => days.random.f64() * 6.0,
            3 | 4 => days.random.f64() * 17.0,
            _ => 18.0 + days.random.f64() * 20.0,
        };
        days.pass(Duration::from_secs_f64(hours * 3_600.0)).await;
        if days.random.u32(..3) == 0 {
            days.killed().await;
        } else {
            let hours = days.random.f64() * [0.5, 8.0, 30.0][days.random.usize(..3)];
            days.runs(Duration::from_secs_f64(hours * 3_600.0)).await;
        }
    }
    days.runs(Duration::ZERO).await;
    (days.told.len(), days.records.arrived.len())
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_told_where_there_is_one_and_nowhere_else() {
    let first = std::env::var("LOSS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..SEEDS, |seed| seed..seed + 1);
    let (mut lost, mut put) = (0, 0);
    for seed in seeds {
        say(&format!("loss_at_random: seed {seed}"));
        let (more_lost, more_put) = days(seed).await;
        lost += more_lost;
        put += more_put;
    }
    assert!(lost > 0 && lost < put, "{lost} of {put} lost");
}
