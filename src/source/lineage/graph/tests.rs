use super::*;
use crate::model::{HashRange, SequenceNumber};

fn id(n: u32) -> ShardId {
    ShardId::new(format!("shardId-{n:012}"))
}

fn ids(numbers: &[u32]) -> Vec<ShardId> {
    numbers.iter().copied().map(id).collect()
}

/// Waiting shards, each with its parents.
fn lineage(shards: &[(u32, &[u32])]) -> Lineage {
    let mut lineage = Lineage::default();
    for (shard, parents) in shards {
        lineage.track(id(*shard), ids(parents), Stage::Waiting);
    }
    lineage
}

fn consume(lineage: &mut Lineage, shard: u32) -> Vec<ShardId> {
    lineage.set_stage(&id(shard), Stage::Consumed);
    lineage.start_children(&id(shard))
}

fn observe(lineage: &mut Lineage, listed: &[u32]) -> Unlisted {
    let listed = ids(listed);
    lineage.observe(&listed.iter().collect())
}

#[test]
fn a_child_starts_once_after_all_its_parents() {
    let mut lineage = lineage(&[(0, &[]), (1, &[]), (2, &[0, 1]), (3, &[2])]);
    assert_eq!(lineage.start_all(), ids(&[0, 1]));
    assert_eq!(consume(&mut lineage, 1), []);
    assert_eq!(lineage.start_all(), []);
    assert_eq!(consume(&mut lineage, 0), ids(&[2]));
    assert_eq!(lineage.start_children(&id(0)), []);
    assert_eq!(consume(&mut lineage, 2), ids(&[3]));
}

#[test]
fn an_untracked_parent_does_not_hold_its_children_back() {
    let mut lineage = lineage(&[(7, &[3, 4])]);
    assert_eq!(lineage.start_all(), ids(&[7]));
}

#[test]
fn a_finished_shard_is_remembered_while_it_is_listed() {
    let mut lineage = lineage(&[(0, &[]), (1, &[0])]);
    lineage.start_all();
    consume(&mut lineage, 0);
    assert_eq!(observe(&mut lineage, &[1]), Unlisted::default());
    lineage.set_stage(&id(0), Stage::Finished);
    assert_eq!(observe(&mut lineage, &[0, 1]), Unlisted::default());
    assert!(lineage.is_tracked(&id(0)));
    assert_eq!(observe(&mut lineage, &[1]).dropped, ids(&[0]));
    assert!(!lineage.is_tracked(&id(0)));
}

#[test]
fn a_shard_unknown_to_the_service_and_not_listed_is_lost_once() {
    let mut lineage = lineage(&[(0, &[]), (1, &[0])]);
    assert_eq!(lineage.start_all(), ids(&[0]));
    // Shard 0 is being read: its reader finds out whether it still exists.
    assert_eq!(observe(&mut lineage, &[1]), Unlisted::default());
    lineage.set_stage(&id(0), Stage::Missing);
    assert_eq!(observe(&mut lineage, &[0, 1]), Unlisted::default());
    assert_eq!(lineage.stage(&id(0)), Some(Stage::Reading));
    lineage.set_stage(&id(0), Stage::Missing);
    assert_eq!(observe(&mut lineage, &[1]).lost, ids(&[0]));
    assert_eq!(observe(&mut lineage, &[1]), Unlisted::default());
    // Its children wait until its rows are in batches.
    assert_eq!(lineage.start_all(), []);
    assert_eq!(consume(&mut lineage, 0), ids(&[1]));
}

#[test]
fn parents_listed_late_are_waited_for_if_nothing_was_read() {
    for waits in [true, false] {
        let mut lineage = lineage(&[(0, &[]), (1, &[])]);
        assert_eq!(lineage.start_all(), ids(&[0, 1]));
        lineage.adopt(&id(1), ids(&[0]), waits);
        assert_eq!(lineage.parents(&id(1)), ids(&[0]));
        assert_eq!(lineage.start_all(), []);
        let started = if waits { ids(&[1]) } else { vec![] };
        assert_eq!(consume(&mut lineage, 0), started);
    }
}

#[test]
fn a_waiting_shard_is_not_lost_if_a_listing_does_not_contain_it() {
    let mut lineage = lineage(&[(0, &[]), (1, &[0]), (2, &[1])]);
    lineage.start_all();
    assert_eq!(observe(&mut lineage, &[0]), Unlisted::default());
    assert_eq!(consume(&mut lineage, 0), ids(&[1]));
}

#[test]
fn a_child_named_by_its_parent_may_be_listed_later() {
    let mut lineage = lineage(&[(0, &[]), (1, &[])]);
    lineage.start_all();
    lineage.track_child(id(2), ids(&[0, 1]));
    for stage in [Stage::Missing, Stage::Finished] {
        lineage.set_stage(&id(2), stage);
        assert_eq!(observe(&mut lineage, &[0, 1]), Unlisted::default());
    }
    assert_eq!(observe(&mut lineage, &[0, 1, 2]), Unlisted::default());
    assert_eq!(observe(&mut lineage, &[0, 1]).dropped, ids(&[2]));
}

#[test]
fn descendants_of_a_left_shard_are_left_too() {
    let mut lineage = lineage(&[(0, &[]), (1, &[]), (2, &[0, 1]), (3, &[2]), (4, &[1])]);
    lineage.start_all();
    assert_eq!(lineage.leave(&id(0)), ids(&[2, 3]));
    assert_eq!(consume(&mut lineage, 1), ids(&[4]));
}

#[test]
fn listed_ancestors_of_known_shards_are_not_new() {
    let shard = |n: u32, parents: &[u32]| Shard {
        id: id(n),
        parent: parents.first().copied().map(id),
        adjacent_parent: parents.get(1).copied().map(id),
        hash_range: HashRange::ALL,
        starting_sequence: SequenceNumber::zero(),
        ending_sequence: None,
    };
    let listed = [
        shard(0, &[]),
        shard(1, &[]),
        shard(2, &[0, 1]),
        shard(3, &[2]),
        shard(4, &[3]),
        shard(5, &[]),
    ];
    let new = new_shards(&listed, |shard| *shard == id(3));
    let new: Vec<&ShardId> = new.iter().map(|shard| &shard.id).collect();
    assert_eq!(new, [&id(5), &id(4)]);
}

#[test]
fn ten_thousand_generations_start_quickly() {
    let mut lineage = Lineage::default();
    lineage.track(id(0), vec![], Stage::Waiting);
    for shard in 1..10_000 {
        lineage.track(id(shard), ids(&[shard - 1]), Stage::Waiting);
    }
    assert_eq!(lineage.start_all(), ids(&[0]));
    for shard in 0..9_999 {
        assert_eq!(consume(&mut lineage, shard), ids(&[shard + 1]));
    }
}
