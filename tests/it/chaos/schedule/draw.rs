//! Draws a simulation from its seed.

use std::time::Duration;

use datafusion_kinesis::model::{Trigger, WireFormat};
use datafusion_kinesis::query::Step;

use super::{
    Ending, Event, LastPlan, LifePlan, Query, Retention, Schedule, ServicePlan, Side, SinkPlan,
    Start, StorePlan, Weather, WriterPlan,
};

/// More than there is time for.
const LIVES: usize = 24;

impl Schedule {
    /// The simulation of `seed`.
    pub(in super::super) fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let random = &mut random;
        let length = millis(random, 10_000..40_000);
        let start = match random.u32(0..4) {
            0 => Start::AtTimestamp,
            1 => Start::Latest,
            _ => Start::TrimHorizon,
        };
        let service = ServicePlan {
            shards: random.u32(1..5),
            enforces_limits: random.u32(0..3) == 0,
            shards_per_page: random.usize(1..8),
            status_delay: millis(random, 0..1_000),
            over_http: over_http(seed),
        };
        let writers = (0..random.u32(1..4)).map(|_| writer(random)).collect();
        let mut events: Vec<_> = (0..random.u32(6..24))
            .map(|_| (millis(random, 0..length.as_millis() as u64), event(random)))
            .collect();
        events.sort_by_key(|(time, _)| *time);
        let lives = (0..LIVES).map(|_| life(random)).collect();
        let last = last(random);
        if last.retention.is_some() {
            events.iter_mut().for_each(|(_, event)| set_right(event));
        }
        // Half of them, and different ones if more simulations run.
        let query = match seed.is_multiple_of(2) {
            true => Query::Groups,
            false => Query::Copies,
        };
        Self {
            seed,
            query,
            service,
            start,
            length,
            writers,
            events,
            lives,
            last,
        }
    }
}

/// A tenth of the simulations, in either format with and without groups.
fn over_http(seed: u64) -> Option<WireFormat> {
    let (tens, ones) = (seed / 10, seed % 10);
    (tens % 10 == ones).then_some(match tens % 4 {
        1 | 2 => WireFormat::Cbor,
        _ => WireFormat::Json,
    })
}

fn millis(random: &mut fastrand::Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// Zero except in one of `of` cases.
fn seldom(random: &mut fastrand::Rng, of: u32, most: f64) -> f64 {
    let value = random.f64() * most;
    if random.u32(0..of) == 0 { value } else { 0.0 }
}

fn writer(random: &mut fastrand::Rng) -> WriterPlan {
    WriterPlan {
        seed: random.u64(..),
        keys: random.u32(1..20),
        pause: millis(random, 50..2_000),
        entries: random.usize(1..12),
        aggregated: [0.0, 0.5, 0.9][random.usize(0..3)],
        map_age: random.u32(1..30),
    }
}

fn event(random: &mut fastrand::Rng) -> Event {
    match random.u32(0..20) {
        0..8 => {
            let all = [
                Weather::Calm,
                Weather::Calm,
                Weather::Calm,
                Weather::Rough,
                Weather::Rough,
                Weather::Throttled,
                Weather::Slow,
                Weather::Expiring,
                Weather::Away,
            ];
            Event::Weather(all[random.usize(0..all.len())])
        }
        8..18 => reshard(random),
        _ => {
            let most = if random.bool() { 2_000 } else { 200_000 };
            let offset_millis = random.i64(-most..most);
            Event::Clock { offset_millis }
        }
    }
}

fn reshard(random: &mut fastrand::Rng) -> Event {
    let at = random.f64();
    match random.u32(0..5) {
        0 | 1 => {
            let share = 0.05 + random.f64() * 0.9;
            Event::Split { at, share }
        }
        2 | 3 => Event::Merge { at },
        _ => {
            let factor = 0.5 + random.f64() * 1.5;
            Event::Scale { factor }
        }
    }
}

fn life(random: &mut fastrand::Rng) -> LifePlan {
    let quick = random.u32(0..4) > 0;
    LifePlan {
        wait: millis(random, if quick { 0..300 } else { 0..5_000 }),
        overlap: (random.u32(0..5) == 0).then(|| match random.bool() {
            true => Duration::ZERO,
            false => millis(random, 0..2_000),
        }),
        ending: ending(random),
        limit: millis(random, 500..6_000),
        trigger: match random.u32(0..10) {
            0 => Trigger::AvailableNow,
            1 => Trigger::Once,
            2..5 => Trigger::ProcessingTime(millis(random, 1..1_500)),
            _ => Trigger::AsFastAsPossible,
        },
        options: options(random),
        partitions: random.usize(1..3),
        store: store(random),
        sink: SinkPlan {
            fails: seldom(random, 5, 0.3),
            latency: match random.u32(0..3) {
                0 => millis(random, 1..1_500),
                _ => Duration::ZERO,
            },
        },
        seed: random.u64(..),
    }
}

/// If the clock jumps by more than a minute, it is unknown what has expired.
fn set_right(event: &mut Event) {
    if let Event::Clock { offset_millis } = event {
        *offset_millis = (*offset_millis).clamp(-25_000, 25_000);
    }
}

fn last(random: &mut fastrand::Rng) -> LastPlan {
    let trigger = match random.bool() {
        true => Trigger::AsFastAsPossible,
        false => Trigger::ProcessingTime(millis(random, 1..1_500)),
    };
    let retention = (random.u32(0..4) == 0).then(|| Retention {
        kept: millis(random, 0..40_000),
        fails: random.bool(),
    });
    let set_back = (random.i64(1..7_200_000), millis(random, 0..3_000));
    let is_set_back = random.u32(0..3) == 0 && retention.is_none();
    LastPlan {
        trigger,
        partitions: random.usize(1..3),
        set_back: is_set_back.then_some(set_back),
        reshard: random.bool().then(|| reshard(random)),
        retention,
        writer: writer(random),
    }
}

fn ending(random: &mut fastrand::Rng) -> Ending {
    // Steps of a batch are more likely than those of a start.
    let step = Step::ALL[random.usize(0..Step::ALL.len()).max(random.usize(0..8))];
    let nth = match step {
        Step::TakingOver | Step::TakenOver | Step::ReadersStarted => 1,
        _ => random.usize(1..6),
    };
    match random.u32(0..10) {
        0 | 1 => Ending::Limit,
        2 => Ending::Stop(millis(random, 0..4_000)),
        3 | 4 => Ending::Step(step, nth),
        5..8 => Ending::Rounds(step, nth, random.u32(0..60)),
        _ => {
            let side = if random.bool() {
                Side::Before
            } else {
                Side::Behind
            };
            Ending::Call(random.u64(0..40), side)
        }
    }
}

fn store(random: &mut fastrand::Rng) -> StorePlan {
    StorePlan {
        fails: seldom(random, 3, 0.3),
        loses: seldom(random, 3, 0.3),
        throttles: seldom(random, 4, 0.5),
        latency: match random.u32(0..3) {
            0 => millis(random, 1..200),
            1 => millis(random, 1..10),
            _ => Duration::ZERO,
        },
        outage: (random.u32(0..6) == 0).then(|| (random.u64(0..40), random.u64(1..12))),
    }
}

/// Options of the table, each with or without a value.
fn options(random: &mut fastrand::Rng) -> Vec<(&'static str, String)> {
    let mut options = Vec::new();
    let mut some = |random: &mut fastrand::Rng, name, values: &[&str]| {
        if random.bool() {
            let value = values[random.usize(0..values.len())];
            options.push((name, value.to_owned()));
        }
    };
    let rows = ["1", "2", "3", "7", "20", "100"];
    some(random, "kinesis.maxFetchRecordsPerShard", &rows);
    let records = ["1", "2", "5", "30", "1000"];
    some(
        random,
        "kinesis.getRecords.numberOfRecordsPerFetch",
        &records,
    );
    let interval = ["0", "50", "200", "1000"];
    some(random, "kinesis.getRecords.fetchIntervalMs", &interval);
    let listing = ["10ms", "100ms", "1s", "4s"];
    some(random, "kinesis.describeShardInterval", &listing);
    some(random, "kinesis.maxFetchTimePerShardSec", &["1", "2"]);
    some(random, "kinesis.maxFetchBytesPerBatch", &["1048576"]);
    some(random, "kinesis.buffer.maxBytes", &["16777216"]);
    some(random, "kinesis.minBatchesToRetain", &["1", "2", "5"]);
    some(random, "kinesis.metadataNumRetries", &["0", "2", "8"]);
    some(random, "kinesis.metadataRetryIntervalsMs", &["1", "50"]);
    some(random, "kinesis.clientNumRetries", &["0", "2", "8"]);
    some(random, "kinesis.clientRetryIntervalsMs", &["1", "100"]);
    options
}
