//! The stream as all of its writers see it: where to send, how much at once, which shards there are.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::batcher::Layout;
use super::settings::SinkSettings;
use super::shard_map::ShardMap;
use crate::error::Result;
use crate::kinesis::{
    ApiResult, Backoff, Kinesis, PutEntry, PutOutcome, RecordDistribution, ShardFilter,
    list_all_shards, with_retries,
};
use crate::model::{HashKey, ShardId, StreamIdentity};

/// How long a view of the stream serves new writers. Whether the service picks the shard, and how
/// large a record may be, can be changed while a query runs; a reshard shows by itself.
const VIEW_LIFETIME: Duration = Duration::from_secs(300);

/// A stream to write to, shared by its writers and kept from batch to batch: the connections are
/// counted here, and the stream is described here once for all of them.
pub struct SinkStream {
    kinesis: Arc<dyn Kinesis>,
    stream: StreamIdentity,
    settings: SinkSettings,
    connections: Semaphore,
    view: Mutex<Option<Arc<StreamView>>>,
    /// Held by the one writer that reads the view, while the others wait for what it finds.
    reading: tokio::sync::Mutex<()>,
}

/// What is known of the stream.
#[derive(Debug)]
pub(super) struct StreamView {
    read_at: Instant,
    pub(super) max_record_bytes: usize,
    /// `None` where the service picks the shard.
    map: Option<Arc<ShardMap>>,
}

impl SinkStream {
    /// Asks the service nothing yet.
    pub fn new(kinesis: Arc<dyn Kinesis>, stream: StreamIdentity, settings: SinkSettings) -> Self {
        Self {
            kinesis,
            stream,
            connections: Semaphore::new(settings.max_connections.max(1)),
            settings,
            view: Mutex::new(None),
            reading: tokio::sync::Mutex::new(()),
        }
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &SinkSettings {
        &self.settings
    }

    /// The stream's name.
    pub fn identity(&self) -> &StreamIdentity {
        &self.stream
    }

    /// A view for a new writer, at most five minutes old.
    pub(super) async fn view(&self, random: fastrand::Rng) -> Result<Arc<StreamView>> {
        self.view_if(|view| view.read_at.elapsed() < VIEW_LIFETIME, random)
            .await
    }

    /// A view newer than `seen`, which turned out wrong.
    pub(super) async fn newer_view(
        &self,
        seen: &Arc<StreamView>,
        random: fastrand::Rng,
    ) -> Result<Arc<StreamView>> {
        self.view_if(|view| view.read_at > seen.read_at, random)
            .await
    }

    /// The known view if it will do, else another; read by one writer at a time, for all of them.
    async fn view_if(
        &self,
        will_do: impl Fn(&StreamView) -> bool,
        random: fastrand::Rng,
    ) -> Result<Arc<StreamView>> {
        let known = || self.known_view().filter(|view| will_do(view));
        if let Some(view) = known() {
            return Ok(view);
        }
        let _reading = self.reading.lock().await;
        match known() {
            Some(view) => Ok(view),
            None => self.read_view(random).await,
        }
    }

    async fn read_view(&self, random: fastrand::Rng) -> Result<Arc<StreamView>> {
        let mut backoff = Backoff::new(self.settings.retry, random);
        let context = format!("stream '{}'", self.stream);
        let read_at = Instant::now();
        let summary = with_retries(&mut backoff, &context, || {
            self.kinesis.describe_stream(&self.stream)
        })
        .await?;
        let map = match summary.distribution {
            RecordDistribution::Service => None,
            RecordDistribution::PartitionKey => {
                let (kinesis, filter) = (self.kinesis.as_ref(), ShardFilter::AtLatest);
                let shards = list_all_shards(kinesis, &self.stream, filter, &mut backoff).await?;
                Some(Arc::new(ShardMap::new(shards)?))
            }
        };
        let view = Arc::new(StreamView {
            read_at,
            max_record_bytes: summary.max_record_bytes,
            map,
        });
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&view));
        Ok(view)
    }

    fn known_view(&self) -> Option<Arc<StreamView>> {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.clone()
    }

    /// One PutRecords, once there is a connection for it.
    pub(super) async fn put(&self, puts: &[PutEntry]) -> ApiResult<Vec<PutOutcome>> {
        // Nobody closes the semaphore, so this is a permit.
        let _permit = self.connections.acquire().await;
        self.kinesis.put_records(&self.stream, puts).await
    }
}

impl fmt::Debug for SinkStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkStream")
            .field("stream", &self.stream)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl StreamView {
    /// How records are laid out for such a stream.
    pub(super) fn layout(&self, settings: &SinkSettings) -> Layout {
        match &self.map {
            None => Layout::Spread,
            Some(map) if settings.aggregation => Layout::Aggregated(Arc::clone(map)),
            Some(_) => Layout::Single,
        }
    }

    /// The shard that takes `key`, as far as is known.
    pub(super) fn shard_of(&self, key: HashKey) -> Option<&ShardId> {
        let map = self.map.as_ref()?;
        Some(map.id(map.index_of(key)))
    }
}
