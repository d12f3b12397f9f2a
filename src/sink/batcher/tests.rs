//! The batcher alone, with explicit time.

use super::entry::Request;
use super::*;
use crate::kinesis::{PutFailure, PutOutcome, WrittenRecord};
use crate::model::{HashKey, HashRange, SequenceNumber, Shard, ShardId};
use crate::sink::settings::SinkSettings;
use crate::sink::shard_map::ShardMap;
use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);

fn map(ends: &[u128]) -> Layout {
    let mut start = 0;
    let shards = ends.iter().map(|&end| {
        let range = HashRange {
            start: HashKey(start),
            end: HashKey(end),
        };
        start = end.wrapping_add(1);
        Shard {
            id: ShardId::new(format!("to-{end}")),
            parent: None,
            adjacent_parent: None,
            hash_range: range,
            starting_sequence: SequenceNumber::zero(),
            ending_sequence: None,
        }
    });
    Layout::Aggregated(Arc::new(ShardMap::new(shards.collect()).unwrap()))
}

fn batcher(layout: Layout) -> Batcher {
    let settings = SinkSettings {
        max_aggregate_bytes: 200,
        max_buffered_bytes: 1_000,
        ..SinkSettings::default()
    };
    let limits = Limits::new(&settings, 1_000_000);
    Batcher::new(limits, layout, fastrand::Rng::with_seed(1))
}

/// Pushes a record with this hash key and `size` bytes of data.
fn push(batcher: &mut Batcher, hash: u128, size: usize, now: Instant) {
    let data = vec![b'x'; size];
    let record = UserRecord {
        partition_key: "key",
        explicit_hash_key: Some(HashKey(hash)),
        data: &data,
    };
    batcher.push(&record, None, now);
}

fn written(shard: &str) -> PutOutcome {
    Ok(WrittenRecord {
        shard: ShardId::new(shard),
        sequence: SequenceNumber::zero(),
    })
}

fn rejected() -> PutOutcome {
    Err(PutFailure {
        throttled: true,
        message: "slow down".to_owned(),
    })
}

fn sizes(request: &Request) -> Vec<usize> {
    request.puts.iter().map(|put| put.data.len()).collect()
}

#[test]
fn lanes_are_allocated_only_for_shards_written_to() {
    let now = Instant::now();
    let ends: Vec<u128> = (1..=2_000).map(|n| n * 1_000).collect();
    let mut batcher = batcher(map(&ends));
    for hash in [5, 5, 1_500, 1_999_999] {
        push(&mut batcher, hash, 10, now);
    }
    batcher.seal_all();
    assert_eq!(batcher.lanes.allocated(), 3);
    let request = batcher.next_request().unwrap();
    let outcomes = ["to-1000", "to-2000", "to-2000000"].map(written).to_vec();
    let settled = batcher.complete(request, outcomes, now).unwrap();
    assert_eq!((settled.rows, settled.records), (4, 3));
    assert_eq!(batcher.lanes.allocated(), 3);
    let settled = batcher.reroute(map(&ends), now).unwrap();
    assert_eq!((settled.rows, batcher.lanes.allocated()), (0, 0));
}

#[test]
fn a_lane_sends_one_record_at_a_time() {
    let now = Instant::now();
    let mut batcher = batcher(map(&[99, u128::MAX]));
    // Too large for an aggregate, so each is a separate record.
    for (hash, size) in [(1, 301), (2, 302), (200, 303)] {
        push(&mut batcher, hash, size, now);
    }
    let first = batcher.next_request().unwrap();
    assert_eq!(sizes(&first), [301, 303]);
    assert!(batcher.next_request().is_none());
    let outcomes = vec![written("to-99"), rejected()];
    let settled = batcher.complete(first, outcomes, now).unwrap();
    assert_eq!((settled.rows, settled.resent), (1, 1));
    assert_eq!(sizes(&batcher.next_request().unwrap()), [302]);
}

#[test]
fn a_rejected_record_is_retried_first_and_after_its_backoff() {
    let now = Instant::now();
    let mut batcher = batcher(map(&[u128::MAX]));
    push(&mut batcher, 1, 301, now);
    push(&mut batcher, 1, 302, now);
    let request = batcher.next_request().unwrap();
    batcher.complete(request, vec![rejected()], now).unwrap();
    assert!(batcher.next_request().is_none());
    let due = batcher.next_due().unwrap();
    assert!((50 * MILLI..=100 * MILLI).contains(&(due - now)));
    batcher.advance(due - MILLI).unwrap();
    assert!(batcher.next_request().is_none());
    batcher.advance(due).unwrap();
    assert_eq!(sizes(&batcher.next_request().unwrap()), [301]);
}

#[test]
fn an_aggregate_is_sent_when_full_or_due() {
    let now = Instant::now();
    let mut batcher = batcher(map(&[u128::MAX]));
    push(&mut batcher, 1, 100, now);
    assert!(batcher.next_request().is_none());
    push(&mut batcher, 1, 100, now + MILLI);
    // The first was sealed, alone and therefore plain; the second waits for the lane.
    let first = batcher.next_request().unwrap();
    assert_eq!(sizes(&first), [100]);
    let id = format!("to-{}", u128::MAX);
    batcher.complete(first, vec![written(&id)], now).unwrap();
    let due = now + MILLI + Duration::from_secs(1);
    batcher.advance(due - MILLI).unwrap();
    assert!(batcher.next_request().is_none());
    assert_eq!(batcher.next_due(), Some(due));
    batcher.advance(due).unwrap();
    assert!(batcher.next_request().is_some());
}

#[test]
fn framing_counts_against_the_buffer_limit() {
    let now = Instant::now();
    let mut batcher = batcher(map(&[u128::MAX]));
    // Keys and data add up to 600 bytes.
    for _ in 0..200 {
        push(&mut batcher, 1, 0, now);
    }
    assert!(batcher.is_full());
}

#[test]
fn acknowledged_records_free_the_buffer() {
    let now = Instant::now();
    for layout in [map(&[u128::MAX]), Layout::Single, Layout::Spread] {
        let id = format!("to-{}", u128::MAX);
        let mut batcher = batcher(layout);
        for _ in 0..20 {
            push(&mut batcher, 1, 50, now);
        }
        assert!(batcher.is_full());
        batcher.seal_all();
        while let Some(request) = batcher.next_request() {
            let outcomes = vec![written(&id); request.len()];
            batcher.complete(request, outcomes, now).unwrap();
        }
        assert_eq!((batcher.unsettled_rows(), batcher.buffered_bytes), (0, 0));
    }
}

#[test]
fn after_a_misprediction_nothing_is_sent_until_rerouted() {
    let now = Instant::now();
    let mut batcher = batcher(map(&[99, u128::MAX]));
    for hash in [1, 60, 200] {
        push(&mut batcher, hash, 10, now);
        push(&mut batcher, hash, 11, now);
    }
    batcher.seal_all();
    let first = batcher.next_request().unwrap();
    push(&mut batcher, 60, 12, now);
    push(&mut batcher, 1, 13, now);
    batcher.seal_all();
    // The first half was split at 50: the aggregate of 1 and 60 is on a shard that does not cover
    // 60.
    let last = format!("to-{}", u128::MAX);
    let outcomes = vec![written("to-49"), written(&last)];
    assert_eq!(batcher.complete(first, outcomes, now).unwrap().rows, 2);
    assert!(batcher.needs_layout() && batcher.next_request().is_none());
    let settled = batcher.reroute(map(&[49, 99, u128::MAX]), now).unwrap();
    assert_eq!((settled.rows, settled.resent), (0, 1));
    assert_eq!(batcher.unsettled_rows(), 6);

    let request = batcher.next_request().unwrap();
    let mut sent = Vec::new();
    for entry in request.into_entries() {
        assert_eq!(entry.state.history.attempts, 2);
        entry
            .for_each_user_record(|r| sent.push((r.explicit_hash_key, r.data.len())))
            .unwrap();
    }
    let expected = [(1, 10), (1, 11), (1, 13), (60, 10), (60, 11), (60, 12)];
    assert_eq!(
        sent,
        expected.map(|(hash, size)| (Some(HashKey(hash)), size))
    );
}

#[test]
fn an_aggregate_covered_by_its_actual_shard_counts_as_written() {
    let now = Instant::now();
    let mut batcher = batcher(map(&[u128::MAX]));
    push(&mut batcher, 1, 10, now);
    push(&mut batcher, 2, 10, now);
    batcher.seal_all();
    let request = batcher.next_request().unwrap();
    batcher
        .complete(request, vec![written("to-49")], now)
        .unwrap();
    let settled = batcher.reroute(map(&[49, u128::MAX]), now).unwrap();
    assert_eq!((settled.rows, settled.resent), (2, 0));
    assert_eq!((batcher.unsettled_rows(), batcher.buffered_bytes), (0, 0));
}

#[test]
fn repeated_mispredictions_end_with_the_time_to_live() {
    let began = Instant::now();
    let mut batcher = batcher(map(&[u128::MAX]));
    push(&mut batcher, 1, 10, began);
    push(&mut batcher, 2, 10, began);
    batcher.seal_all();
    for seconds in [0, 10, 20, 29] {
        let now = began + Duration::from_secs(seconds);
        let request = batcher.next_request().unwrap();
        batcher
            .complete(request, vec![written("unlisted")], now)
            .unwrap();
        batcher.reroute(map(&[u128::MAX]), now).unwrap();
    }
    let now = began + Duration::from_secs(30);
    let request = batcher.next_request().unwrap();
    batcher
        .complete(request, vec![written("unlisted")], now)
        .unwrap();
    let Err(RerouteError::Expired(expired)) = batcher.reroute(map(&[u128::MAX]), now) else {
        panic!("should have expired");
    };
    assert_eq!(
        (expired.attempts, expired.partition_key.as_str()),
        (5, "key")
    );
    assert!(expired.last_failure.contains("unlisted"));
}

#[test]
fn payloads_in_shared_allocations_stay_intact() {
    let now = Instant::now();
    let mut batcher = batcher(Layout::Spread);
    for size in (0..3_000).step_by(7).chain([100_000]) {
        push(&mut batcher, 1, size, now);
    }
    let request = batcher.next_request().unwrap();
    let expected: Vec<_> = (0..3_000).step_by(7).chain([100_000]).collect();
    assert_eq!(sizes(&request), expected);
    assert!(
        request
            .puts
            .iter()
            .all(|put| put.data.iter().all(|byte| *byte == b'x'))
    );
}
