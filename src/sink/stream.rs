//! The stream as all of its writers see it: where to send, how much at once, which shards there are.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// How long after the last acknowledgement a view serves new writers. A stream that was deleted and
/// made anew can have other hash ranges under the same shard ids, which nothing shows; it takes longer
/// than this.
const SILENCE: Duration = Duration::from_secs(30);

/// How long records are refused before that is said, and how often it is said again.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(30);

/// A stream to write to, shared by its writers and kept from batch to batch: the connections are
/// counted here, and the stream is described here once for all of them.
pub struct SinkStream {
    kinesis: Arc<dyn Kinesis>,
    stream: StreamIdentity,
    settings: SinkSettings,
    connections: Semaphore,
    known: Arc<Known>,
}

/// What the writers of a stream have found out, kept for those that come.
#[derive(Default)]
struct Known {
    view: Mutex<Option<Confirmed>>,
    /// Held by the one writer that reads the view, while the others wait for what it finds.
    reading: tokio::sync::Mutex<()>,
    /// The same among writers that never give up, for whom those that do must not wait.
    reading_endlessly: tokio::sync::Mutex<()>,
    /// When it was last said that records are refused.
    warned: Mutex<Option<Instant>>,
}

/// A view, and when the service was last seen to go by it.
#[derive(Clone)]
struct Confirmed {
    view: Arc<StreamView>,
    at: Instant,
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
            known: Arc::default(),
        }
    }

    /// The same stream with other settings: both share what is known of the stream, and each counts
    /// its own connections.
    #[must_use]
    pub fn with_settings(&self, settings: SinkSettings) -> Self {
        Self {
            known: Arc::clone(&self.known),
            ..Self::new(Arc::clone(&self.kinesis), self.stream.clone(), settings)
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

    /// A view for a new writer: at most five minutes old, and not of a stream nobody has written to
    /// for a while.
    pub(super) async fn view(&self, random: fastrand::Rng) -> Result<Arc<StreamView>> {
        let fresh = |known: &Confirmed| {
            known.view.read_at.elapsed() < VIEW_LIFETIME && known.at.elapsed() < SILENCE
        };
        self.view_if(fresh, random).await
    }

    /// A view newer than `seen`, which turned out wrong.
    pub(super) async fn newer_view(
        &self,
        seen: &Arc<StreamView>,
        random: fastrand::Rng,
    ) -> Result<Arc<StreamView>> {
        self.view_if(|known| known.view.read_at > seen.read_at, random)
            .await
    }

    /// New writers describe the stream again: something about it was not as known.
    pub(super) fn forget_view(&self) {
        *self.known() = None;
    }

    /// The known view if it will do, else another; read by one writer at a time, for all of them.
    async fn view_if(
        &self,
        will_do: impl Fn(&Confirmed) -> bool,
        random: fastrand::Rng,
    ) -> Result<Arc<StreamView>> {
        let known = || self.known().clone().filter(|known| will_do(known));
        if let Some(known) = known() {
            return Ok(known.view);
        }
        let reading = match self.settings.record_ttl {
            Some(_) => &self.known.reading,
            None => &self.known.reading_endlessly,
        };
        let _reading = reading.lock().await;
        match known() {
            Some(known) => Ok(known.view),
            None => self.read_view(random).await,
        }
    }

    async fn read_view(&self, random: fastrand::Rng) -> Result<Arc<StreamView>> {
        let mut backoff = match self.settings.record_ttl {
            Some(_) => Backoff::new(self.settings.retry, random),
            None => Backoff::endless(self.settings.retry, random),
        };
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
        *self.known() = Some(Confirmed {
            view: Arc::clone(&view),
            at: read_at,
        });
        Ok(view)
    }

    /// Says, now and then, that records are refused since then, the last time for this reason.
    pub(super) fn warn_of_refusals(&self, since: Instant, failure: &str) {
        if since.elapsed() < BETWEEN_WARNINGS {
            return;
        }
        let warned = self.known.warned.lock();
        let mut warned = warned.unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| at.elapsed() >= BETWEEN_WARNINGS) {
            *warned = Some(Instant::now());
            let refused_for = since.elapsed();
            tracing::warn!(stream = %self.stream, ?refused_for, failure, "records cannot be written, which is tried again");
        }
    }

    fn known(&self) -> MutexGuard<'_, Option<Confirmed>> {
        let view = &self.known.view;
        view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One PutRecords, once there is a connection for it.
    pub(super) async fn put(&self, puts: &[PutEntry]) -> ApiResult<Vec<PutOutcome>> {
        // Nobody closes the semaphore, so this is a permit.
        let _permit = self.connections.acquire().await;
        let asked = Instant::now();
        let answer = self.kinesis.put_records(&self.stream, puts).await;
        match &answer {
            Ok(_) => self
                .known()
                .iter_mut()
                .for_each(|known| known.at = known.at.max(asked)),
            Err(error) if error.is_retryable() => {}
            Err(_) => self.forget_view(),
        }
        answer
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
