//! A query over a thousand shards.

use datafusion_kinesis::kinesis::{Kinesis, Operation};
use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity, Trigger};

use super::checkpoint_log::{CheckpointLog, PLACED, parts, placed_numbers};
use super::*;
use crate::support::entry;

const SHARDS: u128 = 1_000;

/// Puts a number to each thousandth of the hash key range, from `first` on.
async fn put_everywhere(world: &World, stream: &StreamIdentity, first: u64) {
    let width = u128::MAX / SHARDS;
    let entries: Vec<_> = (0..SHARDS)
        .map(|place| {
            let number = first + place as u64;
            entry(
                "k",
                number.to_string(),
                Some(HashKey(width * place + width / 3)),
            )
        })
        .collect();
    for entries in entries.chunks(500) {
        let outcomes = world.kinesis.put_records(stream, entries).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok));
    }
}

fn shard(number: u128) -> ShardId {
    ShardId::new(format!("shardId-{number:012}"))
}

#[tokio::test(start_paused = true)]
async fn a_thousand_shards_are_read_across_reshards_and_a_restart() {
    let world = World::new();
    let options = format!(
        "{FROM_THE_START}, 'kinesis.extraColumns' 'shardId,subSequenceNumber',
         'kinesis.getRecords.fetchIntervalMs' '1000'"
    );
    world
        .unbounded_table("words", SHARDS as u32, &options)
        .await;
    let stream = StreamIdentity::parse("words").unwrap();
    let (sink, place) = (Sink::default(), "memory://a-thousand-shards");
    let start = async || {
        let query = sink.of(StreamingQuery::builder(&world.ctx, PLACED));
        let query = query.with_checkpoint_location(place);
        let tick = Trigger::ProcessingTime(Duration::from_secs(2));
        query.with_trigger(tick).start().await.unwrap()
    };
    put_everywhere(&world, &stream, 0).await;
    let query = start().await;
    query.process_all_available().await.unwrap();
    let width = u128::MAX / SHARDS;
    for split in (0..SHARDS).step_by(50) {
        let (id, at) = (shard(split), HashKey(width * split + width / 2));
        world.kinesis.split_shard(&stream, &id, at).await.unwrap();
    }
    for merged in (10..SHARDS).step_by(100) {
        let (left, right) = (shard(merged), shard(merged + 1));
        let merge = world.kinesis.merge_shards(&stream, &left, &right);
        merge.await.unwrap();
    }
    put_everywhere(&world, &stream, 1_000).await;
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    put_everywhere(&world, &stream, 2_000).await;
    let query = start().await;
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    assert_eq!(placed_numbers(&sink), (0..3_000).collect::<Vec<_>>());
    let ledger = CheckpointLog::of(place).await;
    ledger.check();
    ledger.check_rows(&sink);
    let taken = sink.0.lock().unwrap();
    let shards: std::collections::BTreeSet<_> =
        taken.values().flatten().map(|row| parts(row)[0]).collect();
    // After twenty splits and ten merges, only the lower half of each split shard gets rows.
    assert_eq!(shards.len(), 1_000 + 20 + 10);
    let last = ledger.ranges(*ledger.offsets.keys().last().unwrap());
    assert_eq!(last.len(), 1_000 + 40 + 10);
    assert!((3..=8).contains(&taken.len()), "{} batches", taken.len());
    // One iterator per shard and start, not per batch.
    let iterators = world.kinesis.calls(Operation::GetShardIterator);
    assert!(iterators <= 2 * 1_050, "{iterators}");
}
