//! How far in time a batch says that all was read.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::source::streaming::state::ReadProgress;

/// Rows with the times they arrived at, and those that were taken.
#[derive(Default)]
struct Told {
    arrived: BTreeMap<String, UnixMillis>,
    taken: BTreeSet<String>,
    read_to: Option<UnixMillis>,
}

impl Told {
    async fn put(&mut self, fixture: &Fixture, key: u32) {
        let text = format!("{key} {}", self.arrived.len());
        fixture.put(&text).await;
        self.arrived.insert(text, fixture.now());
    }

    /// Takes in a batch, which must hold all that had arrived by the time it names.
    fn take(&mut self, batch: &StreamBatch) {
        self.taken.extend(rows_of(batch));
        let read_to = batch.ranges.read_to;
        assert!(read_to >= self.read_to, "{read_to:?} {:?}", self.read_to);
        self.read_to = read_to;
        for (text, arrived) in &self.arrived {
            let told = Some(*arrived) <= read_to;
            assert!(!told || self.taken.contains(text), "'{text}' {read_to:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_arrived_by_the_time_a_batch_names_is_taken() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fixture = Fixture::with_shards(1).await;
        fixture.options.max_records_per_shard = Some(random.u64(1..6));
        fixture.options.records_per_fetch = random.usize(1..8);
        let reader = fixture.read_all().await;
        let mut told = Told::default();
        for step in 0..120 {
            for _ in 0..random.u32(..4) {
                told.put(&fixture, random.u32(..50)).await;
            }
            sleep(Duration::from_millis(random.u64(1..300))).await;
            if step == 60 {
                fixture.split_the_only_shard().await;
            }
            if random.bool() {
                let batch = reader.take();
                told.take(&batch);
                reader.release(&batch.ranges.ends());
            }
        }
        for _ in 0..400 {
            sleep(Duration::from_secs(1)).await;
            let batch = reader.take();
            told.take(&batch);
            reader.release(&batch.ranges.ends());
        }
        assert_eq!(told.taken.len(), told.arrived.len(), "seed {seed}");
        let behind = fixture.now().since(told.read_to.unwrap());
        assert!(behind <= Duration::from_secs(1), "seed {seed}: {behind:?}");
        assert_eq!(reader.read_to(), told.read_to);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_has_rows_left_holds_the_time_where_it_was() {
    let mut fixture = Fixture::with_shards(1).await;
    fixture.options.max_records_per_shard = Some(1);
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(10)).await;
    let before = reader.take().ranges.read_to.unwrap();
    for number in 0..3 {
        fixture.put(&format!("k {number}")).await;
    }
    for left in [2, 1, 0] {
        sleep(Duration::from_secs(10)).await;
        let batch = reader.take();
        assert_eq!(rows_of(&batch).len(), 1);
        let moved = batch.ranges.read_to > Some(before);
        assert_eq!(moved, left == 0, "{left} rows left");
    }
}

#[tokio::test(start_paused = true)]
async fn what_arrives_behind_a_frozen_tip_is_not_told_to_be_read() {
    let mut fixture = Fixture::with_shards(2).await;
    let until = fixture.now();
    fixture.settings.until = Some(until);
    sleep(Duration::from_millis(1)).await;
    for number in 0..9 {
        fixture.put(&format!("{number} late")).await;
    }
    let reader = fixture.read_all().await;
    while !reader.is_exhausted() {
        reader.changed().await;
        reader.readiness(Instant::now()).unwrap();
    }
    let batch = reader.take();
    assert_eq!((batch.rows, batch.ranges.read_to), (0, Some(until)));
}

#[tokio::test(start_paused = true)]
async fn a_beginning_is_told_by_what_was_asked_for() {
    let mut fixture = Fixture::with_shards(2).await;
    let day = Duration::from_secs(24 * 3_600);
    // Before this there was nothing.
    let made = START.minus(10 * day);
    fixture.settings.created_at = made;
    let told = async |from| fixture.read(from).await.take().ranges.read_to;
    // What leaves next nobody asked for.
    let edge = START.minus(day).plus(Duration::from_secs(60));
    assert_eq!(told(horizon()).await, Some(edge));
    let at = beginning_at(ShardPosition::AtTimestamp(START));
    assert_eq!(told(at).await, Some(START));
    let before = Some(made.minus(Duration::from_millis(1)));
    assert_eq!(told(behind(Offsets::new())).await, before);
    let named = StreamStart::Initial {
        start: InitialPositions {
            shards: Offsets::from([(shard(0), ShardPosition::TrimHorizon)]),
            others: ShardPosition::AtTimestamp(START),
        },
        created_at: START,
        retention: None,
    };
    assert_eq!(told(named).await, Some(edge));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_ended_and_did_not_say_what_follows_holds_the_time() {
    let fixture = Fixture::with_shards(1).await;
    let reader = fixture.read_all().await;
    sleep(Duration::from_secs(10)).await;
    let before = reader.take().ranges.read_to;
    for (due, moves) in [(true, false), (false, true)] {
        sleep(Duration::from_millis(500)).await;
        reader.shared.with(|state| state.is_listing_due = due);
        assert_eq!(reader.take().ranges.read_to > before, moves, "{due}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_shard_that_is_read_on_behind_a_frozen_tip_tells_nothing_of_the_others() {
    let mut fixture = Fixture::with_shards(2).await;
    let until = fixture.now();
    fixture.settings.until = Some(until);
    let reader = fixture.read_all().await;
    while !reader.is_exhausted() {
        reader.changed().await;
        reader.readiness(Instant::now()).unwrap();
    }
    reader.shared.with(|state| {
        state.update(&shard(1), |followed| {
            followed.progress = ReadProgress::AtTip;
            followed.covered = Some(until.plus(Duration::from_secs(5)));
        });
    });
    assert_eq!(reader.take().ranges.read_to, Some(until));
}

#[tokio::test(start_paused = true)]
async fn full_pages_and_rows_that_are_left_move_the_time_during_a_catch_up() {
    for split in [false, true] {
        let mut fixture = Fixture::with_shards(1).await;
        fixture.options.records_per_fetch = 3;
        fixture.options.max_records_per_shard = Some(4);
        let mut told = Told::default();
        for number in 0..60 {
            told.put(&fixture, number).await;
            sleep(Duration::from_secs(60)).await;
        }
        if split {
            fixture.split_the_only_shard().await;
        }
        let reader = fixture.read_all().await;
        sleep(Duration::from_millis(500)).await;
        let mut times = BTreeSet::new();
        for _ in 0..10 {
            let batch = reader.take();
            told.take(&batch);
            times.insert(told.read_to);
            reader.release(&batch.ranges.ends());
            sleep(Duration::from_millis(200)).await;
        }
        assert!(reader.status().buffered_rows > 0 && told.taken.len() < 60);
        assert!(times.len() > 5, "split {split}: {times:?}");
        let newest = told
            .arrived
            .values()
            .filter(|time| Some(**time) <= told.read_to);
        assert!(newest.count() > 30, "split {split}");
    }
}

#[tokio::test(start_paused = true)]
async fn children_whose_parents_are_just_taken_hold_the_time_though_others_are_read() {
    let fixture = Fixture::with_shards(2).await;
    let reader = fixture.read_all().await;
    let mut told = Told::default();
    for round in 0..2 {
        sleep(Duration::from_secs(5)).await;
        for key in 0..20 {
            told.put(&fixture, key).await;
        }
        if round == 0 {
            let (parent, half) = (shard(0), HashKey(1 << 126));
            let split = fixture.kinesis.split_shard(&fixture.stream, &parent, half);
            split.await.unwrap();
        }
    }
    sleep(Duration::from_secs(5)).await;
    // The rows of the parent; the other shard has been read to its tip.
    told.take(&reader.take());
    assert!(told.taken.len() < told.arrived.len());
    sleep(Duration::from_secs(5)).await;
    told.take(&reader.take());
    assert_eq!(told.taken.len(), told.arrived.len());
}
