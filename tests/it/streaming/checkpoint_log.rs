//! The log of a query, and its invariants.

use datafusion_kinesis::checkpoint::Log;
use datafusion_kinesis::model::SequenceNumber;
use serde_json::Value;

use super::*;

/// Both logs by batch.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct CheckpointLog {
    pub(crate) offsets: BTreeMap<u64, Value>,
    pub(crate) commits: BTreeMap<u64, Value>,
}

/// A position in a shard: everything up to this sequence number and user record has been read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Begin,
    Behind(SequenceNumber, u64),
    End,
}

impl Place {
    fn of(position: &Value) -> Self {
        let text = position.as_str().unwrap();
        match text {
            "TRIM_HORIZON" => return Self::Begin,
            "SHARD_END" => return Self::End,
            time if time.starts_with("AT_TIMESTAMP ") => return Self::Begin,
            _ => {}
        }
        let (sequence, sub) = match text.strip_prefix("AFTER ").unwrap().split_once('.') {
            Some((sequence, sub)) => (sequence, sub.parse().unwrap()),
            None => (text.strip_prefix("AFTER ").unwrap(), u64::MAX),
        };
        Self::Behind(SequenceNumber::new(sequence).unwrap(), sub)
    }
}

pub(crate) type Ranges = BTreeMap<String, (Place, Place)>;

impl CheckpointLog {
    pub(crate) async fn of(place: &str) -> Self {
        let committer = log_locations::open(place);
        let mut ledger = Self::default();
        for log in [Log::Offsets, Log::Commits] {
            for batch in committer.batches(log).await.unwrap() {
                let entry = committer.get(log, batch).await.unwrap().unwrap();
                let entry = serde_json::from_slice(&entry).unwrap();
                match log {
                    Log::Offsets => ledger.offsets.insert(batch.0, entry),
                    Log::Commits => ledger.commits.insert(batch.0, entry),
                };
            }
        }
        ledger
    }

    /// The ranges of the batches, without the times.
    pub(crate) fn sources(&self) -> BTreeMap<u64, Value> {
        let mut sources = BTreeMap::new();
        for (batch, entry) in &self.offsets {
            let mut read = entry["sources"].clone();
            for source in read.as_array_mut().unwrap() {
                source.as_object_mut().unwrap().remove("read_to");
            }
            sources.insert(*batch, read);
        }
        sources
    }

    /// The range of each shard in a batch.
    pub(crate) fn ranges(&self, batch: u64) -> Ranges {
        let shards = self.offsets[&batch]["sources"][0]["shards"]
            .as_object()
            .unwrap();
        let ranges = shards.iter().map(|(shard, range)| {
            let range = match range {
                Value::String(_) => (Place::of(range), Place::of(range)),
                _ => (Place::of(&range["after"]), Place::of(&range["upto"])),
            };
            (shard.clone(), range)
        });
        ranges.collect()
    }

    /// Asserts that batches are numbered without gaps and committed, that ranges join from the
    /// beginning of each shard, and that time and epoch never decrease.
    pub(crate) fn check(&self) {
        assert_eq!(self.empty_batches(), [0; 0], "empty batches");
    }

    /// Asserts the same, and returns the batches without a range, which record the progress of an
    /// idle query.
    pub(crate) fn empty_batches(&self) -> Vec<u64> {
        let mut empty = Vec::new();
        let batches: Vec<_> = self.offsets.keys().copied().collect();
        assert_eq!(batches, (0..batches.len() as u64).collect::<Vec<_>>());
        assert_eq!(batches, self.commits.keys().copied().collect::<Vec<_>>());
        let mut ends = BTreeMap::new();
        let mut before = (0, "");
        for (batch, entry) in &self.offsets {
            assert_eq!(entry["batch"], *batch);
            assert_eq!(self.commits[batch]["batch"], *batch);
            let this = (
                entry["epoch"].as_u64().unwrap(),
                entry["time"].as_str().unwrap(),
            );
            assert!(
                this.0 >= before.0 && this.1 >= before.1,
                "{this:?} {before:?}"
            );
            before = this;
            let mut moved = false;
            for (shard, (after, upto)) in self.ranges(*batch) {
                let end = ends.insert(shard.clone(), upto.clone());
                assert_eq!(after, end.unwrap_or(Place::Begin), "batch {batch}, {shard}");
                assert!(after <= upto, "batch {batch}, {shard}");
                moved |= after < upto;
            }
            if !moved {
                empty.push(*batch);
            }
        }
        empty
    }

    /// Asserts that each row of `sink` ([`PLACED`]) belongs to the range of its batch.
    pub(crate) fn check_rows(&self, sink: &Sink) {
        for (batch, rows) in &*sink.0.lock().unwrap() {
            let ranges = self.ranges(*batch);
            for row in rows {
                let [shard, sequence, sub, _] = parts(row);
                let sequence = SequenceNumber::new(sequence).unwrap();
                let place = Place::Behind(sequence, sub.parse().unwrap());
                let (after, upto) = &ranges[shard];
                assert!(*after < place && place <= *upto, "batch {batch}: {row}");
            }
        }
    }
}

/// Rows with their positions: `shard sequence sub data`.
pub(crate) const PLACED: &str = "SELECT partitionKey,
    shardId || ' ' || sequenceNumber || ' ' || CAST(subSequenceNumber AS VARCHAR) || ' ' ||
    CAST(data AS VARCHAR) FROM words";

pub(crate) fn parts(row: &str) -> [&str; 4] {
    let parts: Vec<_> = row.splitn(4, ' ').collect();
    parts.try_into().unwrap()
}

/// The sorted numbers in the rows of [`PLACED`].
pub(crate) fn placed_numbers(sink: &Sink) -> Vec<u64> {
    let taken = sink.0.lock().unwrap();
    let rows = taken.values().flatten();
    let mut numbers: Vec<u64> = rows.map(|row| parts(row)[3].parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Puts `count` numbers from `first` on: every third one plain, the others in aggregates of ten.
pub(crate) async fn put_mixed(world: &World, first: u64, count: u64) {
    use datafusion_kinesis::aggregation::{AggregateBuilder, UserRecord};
    for chunk in (first..first + count).collect::<Vec<_>>().chunks(15) {
        let (plain, together) = chunk.split_at(chunk.len() / 3);
        for number in plain {
            world
                .put("words", &number.to_string(), number.to_string())
                .await;
        }
        let key = chunk[0].to_string();
        let mut builder = AggregateBuilder::new(1 << 20);
        for number in together {
            builder.try_push(&UserRecord {
                partition_key: &key,
                explicit_hash_key: None,
                data: number.to_string().as_bytes(),
            });
        }
        world.put("words", &key, builder.finish()).await;
    }
}
