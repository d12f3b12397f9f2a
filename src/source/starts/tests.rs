//! Where shards start that have no place of their own.

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
fn descendants_of_a_shard_with_a_place_start_at_their_beginning() {
    let shards = [
        shard(0, &[]),
        shard(1, &[]),
        shard(2, &[0]),
        shard(3, &[1]),
        shard(4, &[2, 3]),
        // Its parent is not listed any more.
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

/// What `starts` gives where the shards of `positions` have a place, as text.
fn placed(shards: &[Shard], positions: &[(u32, &str)]) -> Vec<String> {
    let named = |n: u32| ShardId::new(format!("shardId-{n:012}"));
    let positions = positions
        .iter()
        .map(|(n, place)| (named(*n), place.parse().unwrap()));
    let start = StartingPosition::PerShard(positions.collect());
    let places = resolve_starts(shards, &start).unwrap().into_iter();
    let text =
        |place: Option<ShardPosition>| place.map_or("LATEST".to_owned(), |place| place.to_string());
    places.map(text).collect()
}

#[test]
fn descendants_of_shards_that_are_gone_start_at_their_beginning() {
    let shards = [
        // Made before the positions were taken, and not named: read to its end by then.
        shard(3, &[1]),
        shard(5, &[3]),
        // Of 6, which was made of 4 and is gone, too.
        shard(7, &[6]),
        shard(8, &[7]),
    ];
    assert_eq!(
        placed(&shards, &[(4, "AFTER 7"), (5, "AFTER 9")]),
        ["SHARD_END", "AFTER 9", "TRIM_HORIZON", "TRIM_HORIZON"]
    );
    assert_eq!(
        placed(&shards, &[(0, "AFTER 7"), (5, "AFTER 9")])[0],
        "SHARD_END",
        "5 was made of 3"
    );
    assert_eq!(
        placed(&shards, &[(5, "AFTER 9")]),
        ["SHARD_END", "AFTER 9", "LATEST", "LATEST"],
        "nothing that was named is gone"
    );
}

#[test]
fn a_start_in_the_future_is_refused_with_both_times() {
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
            "shows 2023-11-14T22:13:20Z: expected",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn other_starts_are_the_same_for_all_shards() {
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
