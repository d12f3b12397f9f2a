//! A wrapper of the simulator that hides shards, denies their existence, throttles writes to them,
//! and records what was sent.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion_kinesis::kinesis::{
    ApiError, ApiResult, InMemoryKinesis, InMemoryOptions, IteratorPosition, Kinesis,
    ListShardsFrom, Operation, PutEntry, PutFailure, PutOutcome, RecordColumns, RecordsPage,
    ShardIterator, ShardsPage, StreamSummary,
};
use datafusion_kinesis::model::{HashKey, HashRange, ShardId, StreamIdentity, StreamName};

use crate::support::World;

/// A record as sent once.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) request: usize,
    pub(super) entry: PutEntry,
    pub(super) taken: bool,
}

#[derive(Debug)]
struct Throttle {
    range: HashRange,
    share: f64,
    random: fastrand::Rng,
}

#[derive(Debug)]
pub(super) struct Gate {
    kinesis: Arc<InMemoryKinesis>,
    hidden: Mutex<HashSet<ShardId>>,
    denied: Mutex<Option<ShardId>>,
    throttle: Mutex<Option<Throttle>>,
    sent: Mutex<Vec<Sent>>,
}

impl Gate {
    /// A world whose tables use the wrapper.
    pub(super) fn world() -> (World, Arc<Self>) {
        World::behind(InMemoryOptions::default(), |kinesis| {
            Arc::new(Self {
                kinesis,
                hidden: Mutex::default(),
                denied: Mutex::default(),
                throttle: Mutex::default(),
                sent: Mutex::default(),
            })
        })
    }

    /// Hides exactly these shards from listings and from their parents from now on.
    pub(super) fn hide(&self, shards: impl IntoIterator<Item = ShardId>) {
        *self.hidden.lock().unwrap() = shards.into_iter().collect();
    }

    /// Makes the service report this shard as nonexistent from now on, and no other.
    pub(super) fn deny(&self, shard: Option<ShardId>) {
        *self.denied.lock().unwrap() = shard;
    }

    /// Throttles this share of the records of a shard with these hash keys from now on.
    pub(super) fn throttle(&self, range: HashRange, share: f64) {
        let random = fastrand::Rng::with_seed(7);
        *self.throttle.lock().unwrap() = Some(Throttle {
            range,
            share,
            random,
        });
    }

    /// All records that were sent, each as often as it was sent.
    pub(super) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    fn refuses(&self, entry: &PutEntry) -> bool {
        let own = entry.explicit_hash_key;
        let key = own.unwrap_or_else(|| HashKey::of_partition_key(&entry.partition_key));
        let mut throttle = self.throttle.lock().unwrap();
        let throttle = throttle.as_mut().filter(|rule| rule.range.contains(key));
        throttle.is_some_and(|rule| rule.random.f64() < rule.share)
    }

    fn note(&self, entries: &[PutEntry], taken: impl Fn(usize) -> bool) {
        let mut sent = self.sent.lock().unwrap();
        let request = sent.last().map_or(0, |sent| sent.request + 1);
        sent.extend(entries.iter().enumerate().map(|(place, entry)| Sent {
            request,
            entry: entry.clone(),
            taken: taken(place),
        }));
    }
}

#[async_trait]
impl Kinesis for Gate {
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary> {
        self.kinesis.describe_stream(stream).await
    }

    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage> {
        let mut page = self.kinesis.list_shards(from).await?;
        let hidden = self.hidden.lock().unwrap();
        page.shards.retain(|shard| !hidden.contains(&shard.id));
        Ok(page)
    }

    async fn get_shard_iterator(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        if self.denied.lock().unwrap().as_ref() == Some(shard) {
            let message = format!("Shard {shard} does not exist");
            let code = "ResourceNotFoundException";
            return Err(ApiError::from_code(
                Operation::GetShardIterator,
                code,
                message,
            ));
        }
        self.kinesis
            .get_shard_iterator(stream, shard, position)
            .await
    }

    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        let page = self.kinesis.get_records(stream, iterator, limit, columns);
        let mut page = page.await?;
        let hidden = self.hidden.lock().unwrap();
        page.children.retain(|child| !hidden.contains(&child.id));
        Ok(page)
    }

    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>> {
        let refused: Vec<bool> = entries.iter().map(|entry| self.refuses(entry)).collect();
        let passed = entries.iter().zip(&refused);
        let passed = passed.filter(|(_, refused)| !**refused);
        let passed: Vec<PutEntry> = passed.map(|(entry, _)| entry.clone()).collect();
        let mut written = match &*passed {
            [] => Vec::new(),
            passed => self.kinesis.put_records(stream, passed).await?,
        }
        .into_iter();
        self.note(entries, |place| !refused[place]);
        let throttled = || PutFailure {
            throttled: true,
            message: "Rate exceeded for shard".to_owned(),
        };
        let outcomes = refused.into_iter().map(|refused| match refused {
            true => Err(throttled()),
            false => written.next().unwrap(),
        });
        Ok(outcomes.collect())
    }

    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()> {
        self.kinesis.create_stream(name, shard_count).await
    }
}
