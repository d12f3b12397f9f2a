//! The positions of shards that none is given for.

use super::*;
use crate::model::{SequenceNumber, UnixMillis};

fn shard(number: u32, parents: &[u32]) -> Shard {
    Shard::numbered(number, parents)
}

fn after(digits: &str) -> ShardPosition {
    ShardPosition::After {
        sequence: SequenceNumber::new(digits).unwrap(),
        sub_sequence: None,
    }
}

#[test]
fn descendants_of_a_shard_with_a_position_start_at_their_oldest_record() {
    let shards = [
        shard(0, &[]),
        shard(1, &[]),
        shard(2, &[0]),
        shard(3, &[1]),
        shard(4, &[2, 3]),
        // Its parent is no longer listed.
        shard(6, &[5]),
    ];
    let named = |n: u32| ShardId::new(format!("shardId-{n:012}"));
    let positions = [(named(0), after("7")), (named(5), ShardPosition::ShardEnd)];
    let start = StartingPosition::PerShard(positions.into());
    let beginning = Some(ShardPosition::TrimHorizon);
    assert_eq!(
        resolve_starts(&shards, &start).unwrap(),
        [
            Some(after("7")),
            None,
            beginning.clone(),
            None,
            beginning.clone(),
            beginning
        ]
    );
}

/// The positions that `resolve_starts` returns, as text, if the shards of `positions` have one.
fn resolved(shards: &[Shard], positions: &[(u32, &str)]) -> Vec<String> {
    let named = |n: u32| ShardId::new(format!("shardId-{n:012}"));
    let positions = positions
        .iter()
        .map(|(n, position)| (named(*n), position.parse().unwrap()));
    let start = StartingPosition::PerShard(positions.collect());
    let starts = resolve_starts(shards, &start).unwrap().into_iter();
    let text =
        |start: Option<ShardPosition>| start.map_or("LATEST".to_owned(), |start| start.to_string());
    starts.map(text).collect()
}

#[test]
fn descendants_of_unlisted_shards_start_at_their_oldest_record() {
    let shards = [
        // Created before the positions were taken, and not among them: read to its end by then.
        shard(3, &[1]),
        shard(5, &[3]),
        // A child of 6, which was a child of 4 and is not listed either.
        shard(7, &[6]),
        shard(8, &[7]),
    ];
    assert_eq!(
        resolved(&shards, &[(4, "AFTER 7"), (5, "AFTER 9")]),
        ["SHARD_END", "AFTER 9", "TRIM_HORIZON", "TRIM_HORIZON"]
    );
    assert_eq!(
        resolved(&shards, &[(0, "AFTER 7"), (5, "AFTER 9")])[0],
        "SHARD_END",
        "5 is a child of 3"
    );
    assert_eq!(
        resolved(&shards, &[(5, "AFTER 9")]),
        ["SHARD_END", "AFTER 9", "LATEST", "LATEST"],
        "all shards with a position are listed"
    );
}

#[test]
fn a_start_in_the_future_is_rejected_with_both_times() {
    let now = UnixMillis(1_700_000_000_000);
    let at = |ahead: i64| UnixMillis(now.0 + ahead);
    let per_shard = |time| {
        let shard = ShardId::new("shardId-000000000007");
        StartingPosition::PerShard([(shard, ShardPosition::AtTimestamp(time))].into())
    };
    for ahead in [-86_400_000, 0, 5_000] {
        reject_future_start(&StartingPosition::AtTimestamp(at(ahead)), now).unwrap();
        reject_future_start(&per_shard(at(ahead)), now).unwrap();
    }
    for (start, place) in [
        (StartingPosition::AtTimestamp(at(5_001)), "Position' = '"),
        (per_shard(at(5_001)), "of shard 'shardId-000000000007' = '"),
    ] {
        let error = reject_future_start(&start, now).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidOption);
        let message = error.to_string();
        for part in [
            place,
            "22:13:25.001Z'",
            "shows 2023-11-14T22:13:20Z): expected",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn other_starting_positions_apply_to_all_shards() {
    let shards = [shard(0, &[]), shard(1, &[0])];
    let time = UnixMillis(5);
    let at = Some(ShardPosition::AtTimestamp(time));
    let start = StartingPosition::AtTimestamp(time);
    assert_eq!(resolve_starts(&shards, &start).unwrap(), [at.clone(), at]);
    assert_eq!(
        resolve_starts(&shards, &StartingPosition::Latest).unwrap(),
        [None, None]
    );
}
