//! A fake service that accepts or rejects records on demand and keeps what it accepted.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::kinesis::{
    ApiError, ApiResult, Operation, PutEntry, PutFailure, PutOutcome, RecordDistribution,
    WrittenRecord,
};
use crate::model::{HashKey, HashRange, SequenceNumber, Shard, ShardId};

/// The response to the next request.
#[derive(Debug)]
pub(super) enum Answer {
    /// Accepts all records but these.
    Refuse(Vec<usize>),
    /// Accepts no record.
    Fail(&'static str),
    /// Accepts all records, but the response is lost.
    Lose,
    /// Accepts all records, but returns one outcome too few.
    Short,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    /// Open shards, ordered by range; ids follow the order of creation.
    pub(super) shards: Vec<Shard>,
    created_shards: usize,
    pub(super) answers: VecDeque<Answer>,
    /// The probability that an entry is rejected; a tenth of it, that a whole request fails.
    pub(super) rejections: f64,
    /// The probability that a shard is split before a request is handled.
    pub(super) splits: f64,
    /// The bytes per second that all shards together accept, with a burst of one second.
    pub(super) bytes_per_second: Option<f64>,
    filled_at: Option<Instant>,
    pub(super) fill_bytes: f64,
    pub(super) random: fastrand::Rng,
    /// How long a request takes; a few milliseconds unless set.
    pub(super) latency: Option<Duration>,
    pub(super) distribution: RecordDistribution,
    pub(super) max_record_bytes: usize,
    /// Accepted records in order.
    pub(super) log: Vec<(Shard, PutEntry)>,
    /// All requests, accepted or not.
    pub(super) requests: Vec<Vec<PutEntry>>,
    pub(super) descriptions: usize,
    pub(super) listings: usize,
    pub(super) in_flight: usize,
    pub(super) most_in_flight: usize,
}

impl Service {
    pub(super) fn with_shards(count: u128) -> Arc<Self> {
        let width = u128::MAX / count;
        let shards = (0..count).map(|index| {
            let last = index + 1 == count;
            let end = if last {
                u128::MAX
            } else {
                (index + 1) * width - 1
            };
            shard(index as usize, index * width, end)
        });
        Arc::new(Self {
            state: Mutex::new(State {
                shards: shards.collect(),
                created_shards: count as usize,
                answers: VecDeque::new(),
                rejections: 0.0,
                splits: 0.0,
                bytes_per_second: None,
                filled_at: None,
                fill_bytes: 0.0,
                random: fastrand::Rng::with_seed(5),
                latency: None,
                distribution: RecordDistribution::PartitionKey,
                max_record_bytes: 1024 * 1024,
                log: Vec::new(),
                requests: Vec::new(),
                descriptions: 0,
                listings: 0,
                in_flight: 0,
                most_in_flight: 0,
            }),
        })
    }

    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Keys and data that a de-aggregating reader sees, in the order of writing.
    pub(super) fn read(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.state();
        let read = state.log.iter().flat_map(|(_, entry)| user_records(entry));
        read.map(|record| (record.0, record.2)).collect()
    }

    /// The same for a reader that also discards an aggregate with a record outside the shard's
    /// range.
    pub(super) fn read_strictly(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.state();
        let mut read = Vec::new();
        for (shard, entry) in &state.log {
            let records = user_records(entry);
            let within =
                |(_, hash, _): &(String, HashKey, Vec<u8>)| shard.hash_range.contains(*hash);
            if !looks_aggregated(&entry.data) || records.iter().all(within) {
                read.extend(records.into_iter().map(|record| (record.0, record.2)));
            }
        }
        read
    }
}

impl State {
    /// Splits the shard at `index` in half.
    pub(super) fn split(&mut self, index: usize) {
        let parent = self.shards.remove(index);
        let HashRange { start, end } = parent.hash_range;
        let middle = start.0 + (end.0 - start.0) / 2;
        let created = self.created_shards;
        self.shards.insert(index, shard(created, start.0, middle));
        self.shards
            .insert(index + 1, shard(created + 1, middle + 1, end.0));
        self.created_shards += 2;
    }

    fn take(&mut self, entry: &PutEntry) -> WrittenRecord {
        let hash = (entry.explicit_hash_key)
            .unwrap_or_else(|| HashKey::of_partition_key(&entry.partition_key));
        let index = match self.distribution {
            RecordDistribution::Service => self.random.usize(..self.shards.len()),
            RecordDistribution::PartitionKey => {
                let found = (self.shards.iter()).position(|shard| shard.hash_range.contains(hash));
                found.unwrap()
            }
        };
        let shard = self.shards[index].clone();
        self.log.push((shard.clone(), entry.clone()));
        WrittenRecord {
            shard: shard.id,
            sequence: SequenceNumber::new(&self.log.len().to_string()).unwrap(),
        }
    }

    /// Whether the rate limit allows another record.
    fn has_room_for(&mut self, entry: &PutEntry) -> bool {
        let Some(rate) = self.bytes_per_second else {
            return true;
        };
        let now = Instant::now();
        let since = now - self.filled_at.replace(now).unwrap_or(now);
        self.fill_bytes = (self.fill_bytes - since.as_secs_f64() * rate).max(0.0);
        let room = self.fill_bytes + entry.size_bytes() as f64 <= rate;
        if room {
            self.fill_bytes += entry.size_bytes() as f64;
        }
        room
    }

    pub(super) fn answer(&mut self, entries: &[PutEntry]) -> ApiResult<Vec<PutOutcome>> {
        assert!(!entries.is_empty() && entries.len() <= 500);
        assert!(entries.iter().map(PutEntry::size_bytes).sum::<usize>() <= 10 * 1024 * 1024);
        self.requests.push(entries.to_vec());
        if self.splits > 0.0 && self.random.f64() < self.splits {
            let index = self.random.usize(..self.shards.len());
            self.split(index);
        }
        let refused = match self.answers.pop_front() {
            Some(Answer::Fail(code)) => return Err(failure(code)),
            Some(Answer::Refuse(refused)) => refused,
            Some(Answer::Lose) => {
                entries.iter().for_each(|entry| drop(self.take(entry)));
                return Err(failure("RequestTimeout"));
            }
            Some(Answer::Short) => {
                let taken = entries.iter().skip(1).map(|entry| Ok(self.take(entry)));
                return Ok(taken.collect());
            }
            None => {
                let chance = self.random.f64() * 20.0;
                if chance < self.rejections {
                    return Err(failure("InternalFailure"));
                }
                let lost = chance > 20.0 - self.rejections;
                let refused: Vec<_> = (0..entries.len())
                    .filter(|_| self.random.f64() < self.rejections)
                    .collect();
                if lost {
                    (entries.iter().enumerate())
                        .filter(|(index, _)| !refused.contains(index))
                        .for_each(|(_, entry)| drop(self.take(entry)));
                    return Err(failure("RequestTimeout"));
                }
                refused
            }
        };
        let outcome = |(index, entry): (usize, &PutEntry)| {
            if refused.contains(&index) || !self.has_room_for(entry) {
                Err(PutFailure {
                    throttled: true,
                    message: "Rate exceeded for shard".to_owned(),
                })
            } else {
                Ok(self.take(entry))
            }
        };
        Ok(entries.iter().enumerate().map(outcome).collect())
    }
}

/// Key, hash key and data of the user records in an entry.
pub(super) fn user_records(entry: &PutEntry) -> Vec<(String, HashKey, Vec<u8>)> {
    match open(&entry.data) {
        Opened::Aggregate(records) => (records)
            .map(|r| (r.partition_key.to_owned(), r.hash_key(), r.data.to_vec()))
            .collect(),
        Opened::Plain => {
            let key = entry.partition_key.to_string();
            let hash = HashKey::of_partition_key(&key);
            vec![(
                key,
                entry.explicit_hash_key.unwrap_or(hash),
                entry.data.to_vec(),
            )]
        }
        Opened::Damaged => panic!("a damaged aggregate was sent"),
    }
}

fn failure(code: &str) -> ApiError {
    ApiError::from_code(Operation::PutRecords, code, "scripted failure")
}

fn shard(number: usize, start: u128, end: u128) -> Shard {
    Shard {
        id: ShardId::new(format!("shardId-{number:012}")),
        parent: None,
        adjacent_parent: None,
        hash_range: HashRange {
            start: HashKey(start),
            end: HashKey(end),
        },
        starting_sequence: SequenceNumber::zero(),
        ending_sequence: None,
    }
}
