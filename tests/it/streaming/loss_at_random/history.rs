//! The history of one query.

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

/// How long a query may be down before it suspects a loss, minus the time between two polls.
const DOWN: Duration = Duration::from_secs(17 * 3_600 + 1_800);

/// A query over a stream, and their history.
pub(super) struct History {
    pub(super) world: World,
    stream: StreamIdentity,
    shards: u32,
    pub(super) random: fastrand::Rng,
    place: String,
    taken: Arc<Mutex<BTreeSet<u64>>>,
    pub(super) records: Records,
    /// When all available records had been read.
    settled_at: Instant,
    /// Number of killed starts since then that reported a loss.
    heard: u64,
    /// Expired records whose loss was reported.
    pub(super) reported: BTreeSet<u64>,
    /// The history so far, for failure messages.
    events: Vec<String>,
}

impl History {
    pub(super) async fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let modes = [TrimmedPosition::Resumes, TrimmedPosition::Pinned];
        let options = InMemoryOptions::default().with_trimmed_positions(modes[random.usize(..2)]);
        let clock = TokioClock::starting_at(EPOCH);
        let skewed = Skewed {
            clock,
            ahead_millis: [0, 0, 180_000, -180_000][random.usize(..4)],
        };
        let mut events = vec![format!("{:?}, {skewed:?}", options.trimmed_positions)];
        let kinesis = Arc::new(InMemoryKinesis::new(Arc::new(clock), options));
        let ctx = SessionContext::new();
        let service: Arc<dyn Kinesis> = Arc::<InMemoryKinesis>::clone(&kinesis);
        register_with(&ctx, Services::fixed(service).with_clock(Arc::new(skewed)));
        let world = World { kinesis, ctx };
        let shards = random.u32(1..=3);
        let start = ["TRIM_HORIZON", "LATEST"][random.usize(..2)];
        events.push(format!("{shards} shards from {start}"));
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
            reported: BTreeSet::new(),
            events,
        }
    }

    pub(super) fn log(&mut self, what: impl Into<String>) {
        let hours = Instant::now().duration_since(self.settled_at).as_secs_f64() / 3_600.0;
        self.events.push(format!("+{hours:.2} h: {}", what.into()));
    }

    pub(super) async fn put(&mut self) {
        let number = self.records.arrived.len() as u64;
        self.records.arrived.push(Instant::now());
        let key = self.random.u64(..).to_string();
        self.world.put("words", &key, number.to_string()).await;
        self.log(format!("record {number}"));
    }

    async fn reshard(&mut self) {
        let most = (self.shards * 2).min(4);
        let target = self.random.u32(self.shards.div_ceil(2)..=most);
        let kinesis = &self.world.kinesis;
        kinesis
            .update_shard_count(&self.stream, target)
            .await
            .unwrap();
        self.log(format!("{} shards become {target}", self.shards));
        self.shards = target;
    }

    /// Lets time pass, with or without records and reshards.
    pub(super) async fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        let (records, reshards) = match self.random.u32(..3) {
            0 => (0, 0),
            1 => (self.random.u32(..3), self.random.u32(..2)),
            _ => (self.random.u32(..8), self.random.u32(..4)),
        };
        let mut schedule: Vec<(Duration, bool)> = Vec::new();
        for event in 0..records + reshards {
            let at = time.mul_f64(self.random.f64());
            schedule.push((at, event < records));
        }
        schedule.sort();
        let began = Instant::now();
        for (at, is_record) in schedule {
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
        // Without a checkpoint location, no stop lock is polled.
        query.with_committer(log_locations::open(&self.place))
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
        self.log(format!("killed at {step:?}, reported a loss: {lost}"));
    }

    /// Runs for this time, catching up at the beginning and the end.
    pub(super) async fn runs(&mut self, time: Duration) {
        self.log("started");
        let query = self.query().start().await.unwrap();
        self.settle(&query, 0).await;
        let before = losses(&query);
        self.pass(time).await;
        self.settle(&query, before).await;
        if self.random.bool() {
            query.stop().await.unwrap();
        }
        self.log("ended");
    }

    /// Waits until caught up, and compares the reported losses with the expired records.
    pub(super) async fn settle(&mut self, query: &StreamingQuery, before: u64) {
        let all = timeout(DAY, query.process_all_available()).await;
        assert!(
            matches!(all, Ok(Ok(()))),
            "{all:?} {} {:?} {:#?}",
            query.status().message,
            checkpoint_log::CheckpointLog::of(&self.place)
                .await
                .offsets
                .last_key_value(),
            self.events
        );
        sleep(20 * MINUTE).await;
        let reported = losses(query) - before + std::mem::take(&mut self.heard);
        let taken = self.taken.lock().unwrap().clone();
        let lost: BTreeSet<u64> = self.records.gone(&taken);
        let news = lost.difference(&self.reported).count();
        let unsettled = self.records.gone(&self.records.settled);
        let repeated = unsettled.difference(&self.reported).count() > 0;
        let down = Instant::now().duration_since(self.settled_at);
        self.log(format!("{reported} losses reported, {lost:?} lost"));
        assert!(
            news == 0 || reported > 0,
            "unreported loss: {:#?}",
            self.events
        );
        let doubts = down > DOWN && before == 0;
        assert!(
            reported == 0 || repeated || doubts,
            "false alarm: {:#?}",
            self.events
        );
        let there = 0..self.records.arrived.len() as u64;
        let missing: Vec<_> = there
            .filter(|number| !taken.contains(number) && !lost.contains(number))
            .collect();
        assert!(
            missing.is_empty(),
            "{missing:?} not read: {:#?}",
            self.events
        );
        self.reported.extend(unsettled);
        self.records.settled = taken;
        self.settled_at = Instant::now();
    }
}

fn losses(query: &StreamingQuery) -> u64 {
    let message = query.status().message;
    let reported = message
        .rsplit_once('(')
        .filter(|(_, reported)| reported.contains("data loss"));
    reported.map_or(0, |(_, reported)| {
        reported.split(' ').next().unwrap().parse().unwrap()
    })
}
