//! A writer that reshards the stream between its puts.

use std::collections::VecDeque;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, Shard, StreamStatus};
use datafusion_kinesis::aggregation::{AggregateBuilder, Push, UserRecord};
use datafusion_kinesis::model::HashKey;
use tokio::time::sleep;

use super::{Mix, SHARDS};
use crate::sdk;

const STREAM: &str = "numbers";
pub(super) const KEYS: u64 = 200;
/// Parts of the hash range so small that no shard is ever smaller: records aggregated within one
/// part belong together whatever the shards are.
const SLOTS: usize = 4 * SHARDS;
/// Each shard is split once, then each of its children; then pairs are merged, and pairs of those.
const WAVES: [Wave; 4] = [Wave::Split, Wave::Split, Wave::Merge, Wave::Merge];
const RESHARDS: u64 = (SHARDS + 2 * SHARDS + 2 * SHARDS + SHARDS) as u64;

#[derive(Clone, Copy)]
enum Wave {
    Split,
    Merge,
}

/// Puts rows: row n has the key n mod [`KEYS`] and the data n / [`KEYS`].
pub(super) struct Writer {
    client: Client,
    mix: Mix,
    next: u64,
    rows: u64,
    waves: std::array::IntoIter<Wave, 4>,
    /// Shards still to be split in this wave, or pairs to be merged.
    due: VecDeque<Vec<Shard>>,
    /// Kinesis records so far.
    pub(super) records: u64,
    /// Splits and merges so far.
    pub(super) reshards: u64,
    /// Shards that accept no more records.
    pub(super) closed_shards: usize,
}

impl Writer {
    /// Puts `rows` rows, a multiple of the number of keys.
    pub(super) fn new(url: &str, rows: u64, mix: Mix) -> Self {
        assert!(rows.is_multiple_of(KEYS));
        Self {
            client: sdk::client(url),
            mix,
            next: 0,
            rows,
            waves: WAVES.into_iter(),
            due: VecDeque::new(),
            records: 0,
            reshards: 0,
            closed_shards: 0,
        }
    }

    /// Puts some rows and does the next split or merge. After the last one, puts the rest and
    /// returns false.
    pub(super) async fn step(&mut self) -> bool {
        if self.due.is_empty() {
            let open = self.open_shards().await;
            let together = match self.waves.next() {
                Some(Wave::Split) => 1,
                Some(Wave::Merge) => 2,
                None => {
                    assert_eq!((open.len(), self.reshards), (SHARDS, RESHARDS));
                    self.put(self.rows).await;
                    return false;
                }
            };
            self.due = open.chunks(together).map(<[Shard]>::to_vec).collect();
        }
        self.put(self.next + self.rows / (RESHARDS + 1)).await;
        let due = self.due.pop_front().expect("a stream has shards");
        match &due[..] {
            [shard] => self.split(shard).await,
            pair => self.merge(&pair[0], &pair[1]).await,
        }
        self.reshards += 1;
        self.closed_shards += due.len();
        true
    }

    async fn put(&mut self, end: u64) {
        let mut slots = vec![Vec::new(); SLOTS];
        for number in self.next..end {
            let key = format!("key {}", number % KEYS);
            let hash = HashKey::of_partition_key(&key).0;
            let slot = usize::try_from(hash / (u128::MAX / SLOTS as u128 + 1)).unwrap();
            slots[slot].push((key, (number / KEYS).to_string()));
        }
        let entries: Vec<_> = (slots.iter())
            .flat_map(|rows| rows.chunks(self.mix.plain + self.mix.aggregated))
            .flat_map(|rows| entries(rows, self.mix.plain))
            .collect();
        for entries in entries.chunks(500) {
            let put = self.client.put_records().stream_name(STREAM);
            let put = put.set_records(Some(entries.to_vec())).send().await;
            assert_eq!(put.unwrap().failed_record_count, Some(0));
            self.records += entries.len() as u64;
        }
        self.next = end;
    }

    /// The shards that accept records, ordered by hash range.
    async fn open_shards(&self) -> Vec<Shard> {
        let listing = self.client.list_shards().stream_name(STREAM).send();
        let listing = listing.await.unwrap();
        assert_eq!(listing.next_token, None);
        let mut shards = listing.shards.unwrap();
        shards.retain(|shard| {
            let range = shard.sequence_number_range.as_ref().unwrap();
            range.ending_sequence_number.is_none()
        });
        shards.sort_by_key(|shard| hash_range(shard).0);
        shards
    }

    async fn split(&self, shard: &Shard) {
        let (start, end) = hash_range(shard);
        let split = self.client.split_shard().stream_name(STREAM);
        let split = split
            .shard_to_split(&shard.shard_id)
            .new_starting_hash_key((start + (end - start) / 2 + 1).to_string());
        split.send().await.unwrap();
        self.settle().await;
    }

    async fn merge(&self, shard: &Shard, next: &Shard) {
        let merge = self.client.merge_shards().stream_name(STREAM);
        let merge = merge
            .shard_to_merge(&shard.shard_id)
            .adjacent_shard_to_merge(&next.shard_id);
        merge.send().await.unwrap();
        self.settle().await;
    }

    /// Waits until the reshard is done.
    async fn settle(&self) {
        loop {
            let summary = self.client.describe_stream_summary().stream_name(STREAM);
            let summary = summary.send().await.unwrap();
            let summary = summary.stream_description_summary.unwrap();
            if summary.stream_status == StreamStatus::Active {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn hash_range(shard: &Shard) -> (u128, u128) {
    let range = shard.hash_key_range.as_ref().unwrap();
    let key = |text: &str| text.parse().unwrap();
    (key(&range.starting_hash_key), key(&range.ending_hash_key))
}

/// The rows of one slot: the first ones as single records, the others in one aggregated record.
fn entries(rows: &[(String, String)], plain: usize) -> Vec<PutRecordsRequestEntry> {
    let (alone, together) = rows.split_at(plain.min(rows.len()));
    let alone = alone.iter().map(|(key, data)| entry(key, data.as_bytes()));
    let mut entries: Vec<_> = alone.collect();
    if let Some((outer, _)) = together.first() {
        let mut builder = AggregateBuilder::new(1 << 20);
        for (partition_key, data) in together {
            let pushed = builder.try_push(&UserRecord {
                partition_key,
                explicit_hash_key: None,
                data: data.as_bytes(),
            });
            assert_eq!(pushed, Push::Added);
        }
        entries.push(entry(outer, &builder.finish()));
    }
    entries
}

fn entry(key: &str, data: &[u8]) -> PutRecordsRequestEntry {
    PutRecordsRequestEntry::builder()
        .partition_key(key)
        .data(Blob::new(data))
        .build()
        .unwrap()
}
