//! The time up to which batches contain every record.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::source::streaming::state::ReadProgress;

/// Rows with their arrival times, and those that were taken.
#[derive(Default)]
struct ReadToCheck {
    arrived: BTreeMap<String, UnixMillis>,
    taken: BTreeSet<String>,
    read_to: Option<UnixMillis>,
}

impl ReadToCheck {
    async fn put(&mut self, fixture: &Fixture, key: u32) {
        let text = format!("{key} {}", self.arrived.len());
        fixture.put(&text).await;
        self.arrived.insert(text, fixture.now());
    }

    /// Takes in a batch, and checks that every record that had arrived by its `read_to` was taken.
    fn take(&mut self, batch: &StreamBatch) {
        self.taken.extend(rows_of(batch));
        let read_to = batch.ranges.read_to;
        assert!(read_to >= self.read_to, "{read_to:?} {:?}", self.read_to);
        self.read_to = read_to;
        for (text, arrived) in &self.arrived {
            let covered = Some(*arrived) <= read_to;
            assert!(
                !covered || self.taken.contains(text),
                "'{text}' {read_to:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_record_that_arrived_by_read_to_is_taken() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fixture = Fixture::with_shards(1).await;
        fixture.options.max_records_per_shard = Some(random.u64(1..6));
        fixture.options.records_per_fetch = random.usize(1..8);
        let reader = fixture.read_all().await;
        let mut check = ReadToCheck::default();
        for step in 0..120 {
            for _ in 0..random.u32(..4) {
                check.put(&fixture, random.u32(..50)).await;
            }
            sleep(Duration::from_millis(random.u64(1..300))).await;
            if step == 60 {
                fixture.split_the_only_shard().await;
            }
            if random.bool() {
                let batch = reader.take();
                check.take(&batch);
                reader.release(&batch.ranges.ends());
            }
        }
        for _ in 0..400 {
            sleep(Duration::from_secs(1)).await;
            let batch = reader.take();
            check.take(&batch);
            reader.release(&batch.ranges.ends());
        }
        assert_eq!(check.taken.len(), check.arrived.len(), "seed {seed}");
        let behind = fixture.now().since(check.read_to.unwrap());
        assert!(behind <= Duration::from_secs(1), "seed {seed}: {behind:?}");
        assert_eq!(reader.read_to(), check.read_to);
    }
}

#[tokio::test(start_paused = true)]
async fn pending_rows_hold_read_to() {
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
async fn read_to_is_never_after_the_frozen_tip() {
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
async fn the_initial_read_to_follows_from_the_requested_start() {
    let mut fixture = Fixture::with_shards(2).await;
    let day = Duration::from_secs(24 * 3_600);
    // No record is older.
    let made = START.minus(10 * day);
    fixture.settings.created_at = made;
    let read_to = async |from| fixture.read(from).await.take().ranges.read_to;
    // Records that had expired were not requested.
    let edge = START.minus(day).plus(Duration::from_secs(60));
    assert_eq!(read_to(from_trim_horizon()).await, Some(edge));
    let at = initial_at(ShardPosition::AtTimestamp(START));
    assert_eq!(read_to(at).await, Some(START));
    let before = Some(made.minus(Duration::from_millis(1)));
    assert_eq!(read_to(resume_at(Offsets::new())).await, before);
    let named = StreamStart::Initial {
        start: InitialPositions {
            shards: Offsets::from([(shard(0), ShardPosition::TrimHorizon)]),
            others: ShardPosition::AtTimestamp(START),
        },
        created_at: START,
        retention: None,
    };
    assert_eq!(read_to(named).await, Some(edge));
}

#[tokio::test(start_paused = true)]
async fn an_ended_shard_without_known_children_holds_read_to() {
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
async fn a_closed_shard_read_past_the_frozen_tip_does_not_raise_read_to() {
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
async fn read_to_moves_during_a_catch_up_with_full_pages() {
    for split in [false, true] {
        let mut fixture = Fixture::with_shards(1).await;
        fixture.options.records_per_fetch = 3;
        fixture.options.max_records_per_shard = Some(4);
        let mut check = ReadToCheck::default();
        for number in 0..60 {
            check.put(&fixture, number).await;
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
            check.take(&batch);
            times.insert(check.read_to);
            reader.release(&batch.ranges.ends());
            sleep(Duration::from_millis(200)).await;
        }
        assert!(reader.status().buffered_rows > 0 && check.taken.len() < 60);
        assert!(times.len() > 5, "split {split}: {times:?}");
        let newest = check
            .arrived
            .values()
            .filter(|time| Some(**time) <= check.read_to);
        assert!(newest.count() > 30, "split {split}");
    }
}

#[tokio::test(start_paused = true)]
async fn children_of_just_taken_parents_hold_read_to() {
    let fixture = Fixture::with_shards(2).await;
    let reader = fixture.read_all().await;
    let mut check = ReadToCheck::default();
    for round in 0..2 {
        sleep(Duration::from_secs(5)).await;
        for key in 0..20 {
            check.put(&fixture, key).await;
        }
        if round == 0 {
            let (parent, half) = (shard(0), HashKey(1 << 126));
            let split = fixture.kinesis.split_shard(&fixture.stream, &parent, half);
            split.await.unwrap();
        }
    }
    sleep(Duration::from_secs(5)).await;
    // The rows of the parent, while the other shard has been read to its tip.
    check.take(&reader.take());
    assert!(check.taken.len() < check.arrived.len());
    sleep(Duration::from_secs(5)).await;
    check.take(&reader.take());
    assert_eq!(check.taken.len(), check.arrived.len());
}
