//! The streams of a query: describes them, starts their readers, and cuts batches from all of them.

mod shared_consumers;
mod start_positions;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{pending, select_all};
use tokio::time::Instant;

pub(super) use self::shared_consumers::refuse_shared_consumers;
use super::plan::{QueryPlan, QuerySource};
use super::schedule::{ReadProgress, SourceReadiness};
use crate::error::Result;
use crate::kinesis::StreamSummary;
use crate::model::{Batch, StreamName, Trigger, UnixMillis};
use crate::source::streaming::{
    Coverage, ReaderStatus, Readiness, ShardObserver, StreamBatch, StreamReader,
    StreamReaderSettings, StreamStart,
};
use crate::source::{
    AutoConsumer, BatchReads, ConsumerChoice, InFlightLimits, StreamConsumer, StreamContext,
    StreamRetention, SubscribedSettings,
};
use crate::sql::StreamingSettings;

/// Requests the present descriptions of the streams that `plan` reads.
///
/// # Errors
/// A stream does not exist, or the service refuses the request.
pub(super) async fn describe_streams(
    plan: &QueryPlan,
    random: &mut fastrand::Rng,
) -> Result<Vec<StreamSummary>> {
    let mut streams = Vec::with_capacity(plan.sources.len());
    for source in &plan.sources {
        streams.push(source.table().describe(random.fork()).await?);
    }
    Ok(streams)
}

/// The streams of a query and their readers, in the order of the plan's sources.
#[derive(Debug)]
pub(super) struct Sources {
    plan: Arc<QueryPlan>,
    trigger: Trigger,
    /// The frozen tip of a query that ends by itself: it reads the records that had arrived by this time.
    until: Option<UnixMillis>,
    streams: Vec<StreamSummary>,
    /// Empty before [`start`](Self::start) and after [`stop`](Self::stop).
    readers: Vec<StreamReader>,
    /// Data losses per source that the current readers do not count: those of earlier readers and those
    /// found by reruns of batches.
    losses: Vec<u64>,
    /// The id of the query, if the next run has the same one.
    query: Option<Arc<str>>,
    /// The consumers of enhanced fan-out, per source, once they were needed.
    consumers: Vec<Option<ConsumerChoice>>,
    random: fastrand::Rng,
}

impl Sources {
    pub(super) fn new(
        plan: Arc<QueryPlan>,
        trigger: Trigger,
        until: Option<UnixMillis>,
        streams: Vec<StreamSummary>,
        query: Option<Arc<str>>,
        random: fastrand::Rng,
    ) -> Self {
        Self {
            losses: vec![0; streams.len()],
            consumers: vec![None; streams.len()],
            plan,
            trigger,
            until,
            streams,
            query,
            readers: Vec::new(),
            random,
        }
    }

    /// The streams of the sources, as they were described last.
    pub(super) fn streams(&self) -> &[StreamSummary] {
        &self.streams
    }

    /// How many sources there are.
    pub(super) fn count(&self) -> usize {
        self.streams.len()
    }

    /// Describes the streams again, after one was recreated.
    pub(super) async fn describe(&mut self) -> Result<()> {
        self.streams = describe_streams(&self.plan, &mut self.random).await?;
        Ok(())
    }

    /// Whether [`end`](Self::end) may deregister a consumer.
    pub(super) fn have_managed_consumers(&self) -> bool {
        let mut consumers = self.consumers.iter().flatten();
        consumers.any(|consumer| consumer.is_managed())
    }

    /// Deregisters the consumers that the query has registered and may deregister. Call it after
    /// [`stop`](Self::stop), when no other start of the query uses them.
    pub(super) async fn end(&mut self) {
        for consumer in self.consumers.iter_mut().filter_map(Option::take) {
            consumer.end(self.random.fork()).await;
        }
    }

    /// How source `index` subscribes to shards; `None` if it always polls them.
    async fn subscribed(&mut self, index: usize) -> Result<Option<SubscribedSettings>> {
        let table = self.plan.sources[index].table();
        let fan_out = table.options().source.fan_out.as_ref();
        // Up to a frozen tip, the exact ends of shards matter more than latency.
        let Some(fan_out) = fan_out.filter(|_| self.until.is_none()) else {
            return Ok(None);
        };
        let consumer = match &self.consumers[index] {
            Some(consumer) => {
                // Consumers go with their stream, which may be another one by now.
                consumer.find_again(self.random.fork()).await?;
                consumer.clone()
            }
            None => {
                let context = table.stream_context(1);
                let arn = Arc::clone(&self.streams[index].arn);
                let (query, random) = (self.query.clone(), self.random.fork());
                let consumer = match fan_out.auto_max_lag {
                    None => {
                        let started = StreamConsumer::start(&context, arn, fan_out, query, random);
                        ConsumerChoice::Always(Arc::new(started.await?))
                    }
                    Some(max_lag) => {
                        let options = fan_out.clone();
                        let config = self.plan.session().config_options();
                        let prices = StreamingSettings::of(config).prices();
                        let auto = AutoConsumer::start(
                            context, arn, options, query, max_lag, prices, random,
                        );
                        ConsumerChoice::Auto(Arc::new(auto))
                    }
                };
                self.consumers[index].insert(consumer).clone()
            }
        };
        Ok(Some(SubscribedSettings {
            consumer,
            timeout: fan_out.timeout,
            max_retries: fan_out.max_retries,
        }))
    }

    /// Starts to read each source at its position in `starts`.
    pub(super) async fn start(&mut self, starts: Vec<StreamStart>) -> Result<()> {
        let mut readers = Vec::with_capacity(starts.len());
        for (index, start) in starts.into_iter().enumerate() {
            let subscribed = self.subscribed(index).await?;
            let (source, summary) = (&self.plan.sources[index], &self.streams[index]);
            let settings = StreamReaderSettings {
                columns: source.columns,
                created_at: summary.created_at,
                distribution: summary.distribution,
                until: self.until,
                caps: self.trigger != Trigger::Once,
                subscribed,
                track_activity: source.has_watermark,
            };
            let shards = summary.open_shards as usize;
            let buffers = source.table().options().source.buffer_max_bytes;
            let context = StreamContext {
                stream: summary.stream.clone(),
                max_record_bytes: summary.max_record_bytes,
                in_flight: Arc::new(InFlightLimits::new(shards, buffers)),
                retention: Arc::new(StreamRetention::new(summary.retention)),
                ..source.table().stream_context(shards)
            };
            let random = self.random.fork();
            readers.push(StreamReader::start(context, start, settings, random).await?);
        }
        self.readers = readers;
        Ok(())
    }

    /// The streams, and what can be seen of their readers.
    pub(super) fn observers(&self) -> Vec<(StreamName, ShardObserver)> {
        let readers = self.streams.iter().zip(&self.readers);
        let observers =
            readers.map(|(stream, reader)| (stream.stream.name().clone(), reader.observer()));
        observers.collect()
    }

    /// Ends the readers and keeps their counts of losses.
    pub(super) fn stop(&mut self) {
        for (losses, reader) in self.losses.iter_mut().zip(self.readers.drain(..)) {
            *losses += reader.losses();
        }
    }

    /// Cuts a batch from the buffers of all sources.
    pub(super) fn take(&self) -> Vec<StreamBatch> {
        self.readers.iter().map(StreamReader::take).collect()
    }

    /// The reads of a batch from the log, all of which go to the service.
    pub(super) fn replay(&self, batch: &Batch) -> Vec<BatchReads> {
        let ranges = self.readers.iter().zip(&batch.sources);
        let reads = ranges.map(|(reader, ranges)| reader.replay(ranges));
        reads.collect()
    }

    /// Drops the buffered rows of a committed batch.
    pub(super) fn committed(&self, batch: &Batch) {
        for (reader, ranges) in self.readers.iter().zip(&batch.sources) {
            reader.release(&ranges.ends());
        }
    }

    /// Adds, for each source, the number of ranges of a batch that could no longer be read completely.
    pub(super) fn add_losses(&mut self, lost_ranges: impl Iterator<Item = u64>) {
        for (losses, lost) in self.losses.iter_mut().zip(lost_ranges) {
            *losses += lost;
        }
    }

    /// How many losses of data were found in total.
    pub(super) fn data_losses(&self) -> u64 {
        let found = self.readers.iter().map(StreamReader::losses);
        self.losses.iter().copied().chain(found).sum()
    }

    /// The plan's view of each source, and the status of its reader with all losses of the source.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (&QuerySource, ReaderStatus)> {
        let sources = self.plan.sources.iter().zip(&self.readers);
        sources.zip(&self.losses).map(|((source, reader), losses)| {
            let mut status = reader.status();
            status.losses += losses;
            (source, status)
        })
    }

    /// Whether a stream was recreated while it was read, and the options let the query continue with the
    /// new one.
    pub(super) fn continues_with_recreated(&self) -> bool {
        let mut recreated = self.recreated().peekable();
        recreated.peek().is_some() && recreated.all(|(source, _)| !source.fails_on_data_loss())
    }

    /// Fails if a stream was recreated: its positions would be committed for a stream that has never had
    /// them.
    ///
    /// # Errors
    /// The error that ended the reader, unless the options let the query continue.
    pub(super) fn expect_not_recreated(&self) -> Result<()> {
        for (source, reader) in self.recreated() {
            if source.fails_on_data_loss() {
                reader.readiness(Instant::now())?;
            }
        }
        Ok(())
    }

    fn recreated(&self) -> impl Iterator<Item = (&QuerySource, &StreamReader)> {
        let sources = self.plan.sources.iter().zip(&self.readers);
        sources.filter(|(_, reader)| reader.is_stream_recreated())
    }

    /// Whether each source has data for a trigger that fired at `fired_at`. Calls every reader, because the
    /// call also marks the changes that woke the query as seen.
    ///
    /// # Errors
    /// The permanent error of a reader.
    pub(super) fn readiness(&self, fired_at: Instant) -> Result<Vec<SourceReadiness>> {
        let readiness = |reader: &StreamReader| {
            let readiness = reader.readiness(fired_at)?;
            let is_exhausted = readiness == Readiness::NoData && reader.is_exhausted();
            Ok(SourceReadiness {
                readiness,
                is_exhausted,
            })
        };
        self.readers.iter().map(readiness).collect()
    }

    /// Whether everything up to the frozen tips is taken.
    pub(super) fn is_exhausted(&self) -> bool {
        self.readers.iter().all(StreamReader::is_exhausted)
    }

    /// Whether all rows that were in the streams at `time` are taken.
    pub(super) fn has_taken_all_before(&self, time: UnixMillis) -> bool {
        let mut readers = self.readers.iter();
        readers.all(|reader| reader.has_taken_all_before(time))
    }

    /// How far the batches taken so far have read each source. Costs a walk over the shards.
    pub(super) fn coverage(&self) -> Vec<Coverage> {
        self.readers.iter().map(StreamReader::coverage).collect()
    }

    /// The number of open shards, and the largest lag of any shard.
    pub(super) fn lag(&self) -> (usize, Duration) {
        let (mut shards, mut behind) = (0, Duration::ZERO);
        for reader in &self.readers {
            let status = reader.status();
            shards += status.open_shards;
            behind = behind.max(status.max_behind_latest.unwrap_or_default());
        }
        (shards, behind)
    }

    /// Resolves when a reader has changed since the last [`readiness`](Self::readiness).
    pub(super) async fn changed(&self) {
        if self.readers.is_empty() {
            return pending().await;
        }
        let changes = self.readers.iter();
        let changes = changes.map(|reader| Box::pin(reader.changed()));
        select_all(changes).await;
    }
}

impl ReadProgress for Sources {
    fn has_end(&self) -> bool {
        self.until.is_some()
    }

    fn has_rows_before_end(&self) -> bool {
        self.has_end() && !self.is_exhausted()
    }

    fn has_unlogged_shard_end(&self, age: Duration) -> bool {
        self.readers
            .iter()
            .any(|reader| reader.has_unlogged_shard_end(age))
    }

    fn retention(&self) -> Option<Duration> {
        self.readers.iter().map(StreamReader::retention).min()
    }

    fn read_to(&self) -> impl Iterator<Item = Option<UnixMillis>> {
        self.readers.iter().map(StreamReader::read_to)
    }
}
