//! The stream that writers share: connection limit, cached shard map and limits.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::batcher::Layout;
use super::load::{SinkLoad, SinkStatus};
use super::settings::SinkSettings;
use super::shard_map::ShardMap;
use crate::error::Result;
use crate::kinesis::{
    ApiResult, Backoff, Kinesis, PutEntry, PutOutcome, RecordDistribution, ShardFilter,
    list_all_shards, with_retries,
};
use crate::model::{HashKey, ShardId, StreamIdentity};

/// How long a cached view is used for new writers. The record distribution and the largest record
/// can change while a query runs; a reshard is detected from the responses.
const VIEW_LIFETIME: Duration = Duration::from_secs(300);

/// How long after the last acknowledgement a cached view is used for new writers. A stream that was
/// deleted and recreated can have other hash ranges under the same shard ids, and no response would
/// reveal it. Recreating a stream takes longer than this.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// How long records are rejected before a warning is logged, and the interval of further warnings.
const WARNING_INTERVAL: Duration = Duration::from_secs(30);

/// A stream to write to, shared by its writers and kept across batches. It limits the requests in
/// flight and describes the stream once for all writers.
pub(crate) struct SinkStream {
    kinesis: Arc<dyn Kinesis>,
    stream: StreamIdentity,
    settings: SinkSettings,
    connections: Semaphore,
    shared: Arc<Shared>,
}

/// What the writers of a stream have learned, shared with later writers.
#[derive(Default)]
struct Shared {
    view: Mutex<Option<CachedView>>,
    /// Locked by the writer that reads the view, while the others wait for its result.
    reading: tokio::sync::Mutex<()>,
    /// The same for writers that never give up, for which the other writers must not wait.
    reading_without_limit: tokio::sync::Mutex<()>,
    load: SinkLoad,
    /// When the last warning about rejected records was logged.
    last_warning: Mutex<Option<Instant>>,
}

/// A view, and when the service last acted according to it.
#[derive(Clone)]
struct CachedView {
    view: Arc<StreamView>,
    at: Instant,
}

/// The properties of the stream that writing depends on.
#[derive(Debug)]
pub(super) struct StreamView {
    read_at: Instant,
    pub(super) max_record_bytes: usize,
    /// `None` if the service chooses the shard.
    map: Option<Arc<ShardMap>>,
}

impl SinkStream {
    /// Creates the shared stream; sends no request yet.
    pub(crate) fn new(
        kinesis: Arc<dyn Kinesis>,
        stream: StreamIdentity,
        settings: SinkSettings,
    ) -> Self {
        Self {
            kinesis,
            stream,
            connections: Semaphore::new(settings.max_connections.max(1)),
            settings,
            shared: Arc::default(),
        }
    }

    /// Returns the same stream with other settings. Both share the cached view; each has its own
    /// connection limit.
    #[must_use]
    pub(crate) fn with_settings(&self, settings: SinkSettings) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            ..Self::new(Arc::clone(&self.kinesis), self.stream.clone(), settings)
        }
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &SinkSettings {
        &self.settings
    }

    /// The stream's name.
    pub(crate) fn identity(&self) -> &StreamIdentity {
        &self.stream
    }

    /// What all writers of the stream write at present.
    pub(crate) fn status(&self) -> SinkStatus {
        self.shared.load.status()
    }

    /// Why the last PutRecords call that was not accepted failed or was throttled.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.shared.load.last_error()
    }

    /// A view for a new writer: at most five minutes old, and only if the stream was written to
    /// recently.
    pub(super) async fn view(&self, random: fastrand::Rng) -> Result<Arc<StreamView>> {
        let fresh = |cached: &CachedView| {
            cached.view.read_at.elapsed() < VIEW_LIFETIME && cached.at.elapsed() < MAX_IDLE
        };
        self.view_if(fresh, random).await
    }

    /// A view newer than `seen`, which proved wrong.
    pub(super) async fn newer_view(
        &self,
        seen: &Arc<StreamView>,
        random: fastrand::Rng,
    ) -> Result<Arc<StreamView>> {
        self.view_if(|cached| cached.view.read_at > seen.read_at, random)
            .await
    }

    /// Drops the cached view after it proved wrong, so that new writers describe the stream again.
    pub(super) fn forget_view(&self) {
        *self.cached_view() = None;
    }

    /// Returns the cached view if it is acceptable, else reads a new one; one writer reads at a
    /// time, for all of them.
    async fn view_if(
        &self,
        is_acceptable: impl Fn(&CachedView) -> bool,
        random: fastrand::Rng,
    ) -> Result<Arc<StreamView>> {
        let cached = || {
            self.cached_view()
                .clone()
                .filter(|cached| is_acceptable(cached))
        };
        if let Some(cached) = cached() {
            return Ok(cached.view);
        }
        let reading = match self.settings.record_ttl {
            Some(_) => &self.shared.reading,
            None => &self.shared.reading_without_limit,
        };
        let _reading = reading.lock().await;
        match cached() {
            Some(cached) => Ok(cached.view),
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
        *self.cached_view() = Some(CachedView {
            view: Arc::clone(&view),
            at: read_at,
        });
        Ok(view)
    }

    /// Logs a warning, at most once per interval, that records have been rejected since `since`;
    /// `failure` is the last reason.
    pub(super) fn warn_of_rejections(&self, since: Instant, failure: &str) {
        if since.elapsed() < WARNING_INTERVAL {
            return;
        }
        let last_warning = self.shared.last_warning.lock();
        let mut last_warning = last_warning.unwrap_or_else(PoisonError::into_inner);
        if last_warning.is_none_or(|at| at.elapsed() >= WARNING_INTERVAL) {
            *last_warning = Some(Instant::now());
            let rejected_for = since.elapsed();
            tracing::warn!(stream = %self.stream, ?rejected_for, failure, "records are being rejected; retrying");
        }
    }

    fn cached_view(&self) -> MutexGuard<'_, Option<CachedView>> {
        let view = &self.shared.view;
        view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one PutRecords once a connection is free.
    pub(super) async fn put(&self, puts: &[PutEntry]) -> ApiResult<Vec<PutOutcome>> {
        // The semaphore is never closed, so this always gets a permit.
        let _permit = self.connections.acquire().await;
        let sent_at = Instant::now();
        let in_flight = self.shared.load.sent(puts.len());
        let answer = self.kinesis.put_records(&self.stream, puts).await;
        in_flight.answered(&answer);
        match &answer {
            Ok(_) => self
                .cached_view()
                .iter_mut()
                .for_each(|cached| cached.at = cached.at.max(sent_at)),
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
    /// How records are mapped to lanes for this stream.
    pub(super) fn layout(&self, settings: &SinkSettings) -> Layout {
        match &self.map {
            None => Layout::Spread,
            Some(map) if settings.aggregation => Layout::Aggregated(Arc::clone(map)),
            Some(_) => Layout::Single,
        }
    }

    /// The shard predicted for `key`, if the key determines the shard.
    pub(super) fn shard_of(&self, key: HashKey) -> Option<&ShardId> {
        let map = self.map.as_ref()?;
        Some(map.id(map.index_of(key)))
    }
}
