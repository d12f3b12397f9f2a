//! Producers that count their records by key, and send each record until it is acknowledged.

mod sending;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use datafusion_kinesis::aggregation::{AggregateBuilder, UserRecord};
use datafusion_kinesis::kinesis::{PutEntry, ShardFilter};
use datafusion_kinesis::model::{HashKey, Shard, UnixMillis};
use tokio::time::Instant;

use super::ground::Ground;
use super::schedule::WriterPlan;

/// A record of a producer: its key, and its number under that key.
pub(super) type Counted = (Arc<str>, u64);

/// The records of all producers.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Acknowledged records, with the time of the first try.
    pub(super) acknowledged: Vec<(Counted, UnixMillis)>,
    /// Records in aggregates.
    pub(super) aggregates: HashMap<Bytes, Vec<Counted>>,
}

/// The payload of a record.
fn payload(counter: u64, filler: usize) -> String {
    format!("{counter} {:.<filler$}", "")
}

/// The number in a payload.
pub(super) fn counter_in(payload: &str) -> Option<u64> {
    payload.split_once(' ')?.0.parse().ok()
}

/// A record in flight, and the records it adds to the stream.
struct Sent {
    entry: PutEntry,
    inside: Vec<Counted>,
    since: UnixMillis,
}

struct Key {
    name: Arc<str>,
    hash: HashKey,
    next: u64,
}

struct Writer {
    ground: Arc<Ground>,
    number: usize,
    plan: WriterPlan,
    random: fastrand::Rng,
    keys: Vec<Key>,
    /// The shards as they were at some time.
    map: Vec<Shard>,
    map_age: u32,
}

/// Writes until `until`, and then until everything is acknowledged.
pub(super) async fn write(ground: Arc<Ground>, number: usize, plan: WriterPlan, until: Instant) {
    let keys = (0..plan.keys).map(|key| {
        let name: Arc<str> = format!("w{number}k{key}").into();
        let hash = HashKey::of_partition_key(&name);
        Key {
            name,
            hash,
            next: 0,
        }
    });
    let mut writer = Writer {
        ground,
        number,
        random: fastrand::Rng::with_seed(plan.seed),
        keys: keys.collect(),
        plan,
        map: Vec::new(),
        map_age: 0,
    };
    while Instant::now() < until {
        let most = writer.plan.pause.as_millis() as u64;
        let pause = Duration::from_millis(writer.random.u64(0..=most));
        tokio::time::sleep(pause).await;
        let request = writer.request().await;
        writer.send(request).await;
    }
}

impl Writer {
    /// Some records with distinct keys, because they may be accepted in any order.
    async fn request(&mut self) -> Vec<Sent> {
        if self.map_age == 0 {
            self.map = self.ground.shards(ShardFilter::AtLatest).await;
        }
        self.map_age = (self.map_age + 1) % self.plan.map_age;
        let mut free: Vec<usize> = (0..self.keys.len()).collect();
        self.random.shuffle(&mut free);
        let mut request = Vec::new();
        while let Some(key) = free.pop() {
            let sent = match self.random.f64() < self.plan.aggregated {
                false => self.plain(key),
                true if self.random.bool() => self.aggregate(&[key], false),
                true => {
                    let (with, others) = self.beside(key, free);
                    free = others;
                    self.aggregate(&with, true)
                }
            };
            request.push(sent);
            if request.len() >= self.plan.entries {
                break;
            }
        }
        request
    }

    /// `key` and those of `free` that are in the same shard according to the map; and the rest.
    fn beside(&self, key: usize, free: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
        let hash = self.keys[key].hash;
        let shard = self
            .map
            .iter()
            .find(|shard| shard.hash_range.contains(hash));
        let range = shard.map(|shard| shard.hash_range);
        let together =
            |other: &usize| range.is_some_and(|range| range.contains(self.keys[*other].hash));
        let (mut with, others): (Vec<_>, Vec<_>) = free.into_iter().partition(together);
        with.push(key);
        (with, others)
    }

    fn count(&mut self, key: usize) -> Counted {
        let key = &mut self.keys[key];
        key.next += 1;
        (Arc::clone(&key.name), key.next - 1)
    }

    fn plain(&mut self, key: usize) -> Sent {
        let counted = self.count(key);
        let filler = self.random.usize(0..60);
        let entry = PutEntry {
            data: payload(counted.1, filler).into(),
            partition_key: Arc::clone(&counted.0),
            explicit_hash_key: None,
        };
        self.sent(entry, vec![counted])
    }

    /// One aggregate with some records of each of `keys`, interleaved.
    fn aggregate(&mut self, keys: &[usize], for_shard: bool) -> Sent {
        let rounds = self.random.usize(1..6);
        let inside = (0..rounds).flat_map(|_| keys.iter());
        let inside: Vec<usize> = inside.copied().collect();
        let inside = inside.into_iter().map(|key| self.count(key)).collect();
        let hash = for_shard.then(|| self.keys[keys[0]].hash);
        self.packed(inside, hash)
    }

    /// An aggregate. Without a hash key it goes to the shard of its first record's key.
    fn packed(&mut self, inside: Vec<Counted>, hash: Option<HashKey>) -> Sent {
        let mut builder = AggregateBuilder::new(1 << 20);
        for (key, counter) in &inside {
            builder.try_push(&UserRecord {
                partition_key: key,
                explicit_hash_key: None,
                data: payload(*counter, 0).as_bytes(),
            });
        }
        let data = builder.finish();
        let mut written = self.ground.written.lock().unwrap();
        written.aggregates.insert(data.clone(), inside.clone());
        drop(written);
        let partition_key = match hash {
            Some(_) => "a".into(),
            None => Arc::clone(&inside[0].0),
        };
        let entry = PutEntry {
            data,
            partition_key,
            explicit_hash_key: hash,
        };
        self.sent(entry, inside)
    }

    fn sent(&self, entry: PutEntry, inside: Vec<Counted>) -> Sent {
        Sent {
            entry,
            inside,
            since: self.ground.clock.now(),
        }
    }
}
