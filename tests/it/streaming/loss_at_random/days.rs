//! One query through its days.

use std::collections::BTreeSet;

use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{
    InMemoryKinesis, InMemoryOptions, Kinesis, TokioClock, TrimmedPosition,
};
use datafusion_kinesis::model::{StreamIdentity, StreamName};
use datafusion_kinesis::{Services, register_with};
use tokio::time::{Instant, sleep, timeout};

use super::super::*;
use super::records::{DAY, Records, Skewed};
use crate::peers::heard::Heard;
use crate::support::EPOCH;

const MINUTE: Duration = Duration::from_secs(60);

/// For how long a query may be down before it has to doubt, less the time between two of its looks.
const DOWN: Duration = Duration::from_secs(17 * 3_600 + 1_800);

/// A query over a stream, and what has become of both.
pub(super) struct Days {
    pub(super) world: World,
    stream: StreamIdentity,
    shards: u32,
    pub(super) random: fastrand::Rng,
    place: String,
    taken: Arc<Mutex<BTreeSet<u64>>>,
    pub(super) records: Records,
    /// When all that was there had been read.
    settled_at: Instant,
    /// Starts that were killed and had told of a loss, since then.
    heard: u64,
    /// What is gone and was told.
    pub(super) told: BTreeSet<u64>,
    /// What happened so far, for who reads of a failure.
    story: Vec<String>,
}

impl Days {
    pub(super) async fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let modes = [TrimmedPosition::Resumes, TrimmedPosition::Pinned];
        let options = InMemoryOptions::default().with_trimmed_positions(modes[random.usize(..2)]);
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

    pub(super) fn tell(&mut self, what: impl Into<String>) {
        let hours = Instant::now().duration_since(self.settled_at).as_secs_f64() / 3_600.0;
        self.story.push(format!("+{hours:.2} h: {}", what.into()));
    }

    pub(super) async fn put(&mut self) {
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
    pub(super) async fn pass(&mut self, time: Duration) {
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

    pub(super) fn query(&self) -> StreamingQueryBuilder {
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
    pub(super) async fn killed(&mut self) {
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
    pub(super) async fn runs(&mut self, time: Duration) {
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
    pub(super) async fn settle(&mut self, query: &StreamingQuery, before: u64) {
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
