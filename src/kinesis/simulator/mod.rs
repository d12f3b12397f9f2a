//! A Kinesis simulator in memory, for tests: injected clock, seeded faults, optional HTTP server.

mod account_region;
mod clock;
mod errors;
mod fan_out;
mod faults;
#[cfg(feature = "simulator")]
mod http_server;
mod lookup;
mod operations;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_trait::async_trait;

pub use clock::TokioClock;
pub use faults::{CONNECTION_LOST, FaultPlan, FaultRates};
#[cfg(feature = "simulator")]
pub use http_server::EmbeddedServer;

use super::limits::MAX_SHARDS_PER_PAGE;
use super::{
    ApiError, ApiResult, DryRun, DryRunAnswer, FanOut, IteratorPosition, Kinesis, ListShardsFrom,
    Operation, PutEntry, PutOutcome, RecordColumns, RecordsPage, ShardIterator, ShardsPage,
    StreamSummary, WrittenRecord,
};
use crate::model::{Clock, ShardId, StreamIdentity, StreamName};
use account_region::AccountRegion;
use faults::Faults;
#[cfg(feature = "simulator")]
use operations::account_settings::Commitments;
use operations::consumers::ConsumerTimes;
use operations::describe::describe_budget;
use operations::get_records::ColumnsSink;
use operations::list_shards::PageStart;
use operations::put_records::Incoming;
use state::rate_limits::Bucket;
use state::sequence_number::CreationSeconds;
use state::stream::{NewStream, Stream};

/// Streams by ARN, so that those of one account and region are adjacent and ordered by name.
type Streams = BTreeMap<Arc<str>, Arc<Stream>>;

/// Kinesis Data Streams in memory, faithful in everything that a reader or writer can observe.
///
/// Sequence numbers have the layout of AWS, keys are routed by MD5, arrival times have millisecond
/// precision, iterators and page tokens expire, pages are limited to 10,000 records and 10 MiB, the
/// lag is zero only at the tip, closed shards name their children, and records disappear after the
/// retention period. A record becomes visible no later than its put is acknowledged, and never
/// after a later record of its shard.
///
/// All time comes from the clock and all randomness from the seed: with a [`TokioClock`] on paused
/// time, a test with faults is deterministic.
///
/// Subscriptions ([`FanOut`]) push records as they arrive, and an event without records every five
/// seconds. They end after five minutes, with their shard, when another one takes over, and when their consumer or
/// stream goes. These times run on Tokio's time.
///
/// Not simulated: automatic resharding of on-demand streams. Tags, encryption, monitoring, policies
/// and warm throughput can be set over HTTP (`EmbeddedServer`) and are stored, but have no effect.
///
/// ```
/// # use std::sync::Arc;
/// # use datafusion_kinesis::kinesis::{InMemoryKinesis, InMemoryOptions, Kinesis, TokioClock};
/// # use datafusion_kinesis::model::{StreamIdentity, StreamName, UnixMillis};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = Arc::new(TokioClock::starting_at(UnixMillis(1_700_000_000_000)));
/// let kinesis = InMemoryKinesis::new(clock, InMemoryOptions::default());
/// let clicks = StreamName::new("clicks")?;
/// kinesis.create_stream(&clicks, 2).await?;
/// let summary = kinesis.describe_stream(&StreamIdentity::named(clicks)).await?;
/// assert_eq!(summary.open_shards, 2);
/// # Ok(())
/// # }
/// ```
pub struct InMemoryKinesis {
    clock: Arc<dyn Clock>,
    options: InMemoryOptions,
    account_region: AccountRegion,
    streams: RwLock<Streams>,
    describes: Mutex<Bucket>,
    faults: Arc<Faults>,
    creation_seconds: CreationSeconds,
    consumer_times: ConsumerTimes,
    #[cfg(feature = "simulator")]
    commitments: Commitments,
}

/// Options of an [`InMemoryKinesis`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InMemoryOptions {
    /// The only region to serve; by default any region is served, and requests that name none use
    /// `us-east-1`. Streams of different regions are independent.
    pub region: Option<String>,
    /// The only account to serve; by default any account is served, and requests that name none use
    /// `000000000000`. Streams of different accounts are independent.
    pub account: Option<String>,
    /// Whether shards, subscriptions, ListShards and DescribeStreamSummary throttle above their rate
    /// limits, as on AWS; default `false`. Sizes and counts of a single call are always checked.
    pub enforce_limits: bool,
    /// How long a stream stays `Creating`, `Updating` or `Deleting`; default zero. A consumer stays `Creating` or
    /// `Deleting` as long, but at least 100 ms.
    pub status_delay: Duration,
    /// The most shards on one page of ListShards, and consumers on one of ListStreamConsumers; default
    /// 1,000, as on AWS.
    pub max_shards_per_page: usize,
    /// The seed of the faults; default 0.
    pub seed: u64,
    /// Which calls fail; default none.
    pub faults: FaultPlan,
    /// How an iterator at or after a record past its retention behaves; default
    /// [`Resumes`](TrimmedPosition::Resumes).
    pub trimmed_positions: TrimmedPosition,
}

impl InMemoryOptions {
    /// Sets [`region`](Self::region).
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets [`account`](Self::account).
    #[must_use]
    pub fn with_account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Sets [`enforce_limits`](Self::enforce_limits).
    #[must_use]
    pub fn with_enforce_limits(mut self, enforce: bool) -> Self {
        self.enforce_limits = enforce;
        self
    }

    /// Sets [`status_delay`](Self::status_delay).
    #[must_use]
    pub fn with_status_delay(mut self, delay: Duration) -> Self {
        self.status_delay = delay;
        self
    }

    /// Sets [`max_shards_per_page`](Self::max_shards_per_page).
    #[must_use]
    pub fn with_max_shards_per_page(mut self, shards: usize) -> Self {
        self.max_shards_per_page = shards;
        self
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets [`faults`](Self::faults).
    #[must_use]
    pub fn with_faults(mut self, faults: FaultPlan) -> Self {
        self.faults = faults;
        self
    }

    /// Sets [`trimmed_positions`](Self::trimmed_positions).
    #[must_use]
    pub fn with_trimmed_positions(mut self, positions: TrimmedPosition) -> Self {
        self.trimmed_positions = positions;
        self
    }
}

/// How an iterator at or after a record past its retention behaves. AWS returns no error for it,
/// and both behaviors have been observed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TrimmedPosition {
    /// It continues at the oldest remaining record.
    #[default]
    Resumes,
    /// It returns empty pages forever, with the retention period as the lag. Only an iterator of
    /// another type returns records again.
    Pinned,
}

impl Default for InMemoryOptions {
    fn default() -> Self {
        Self {
            region: None,
            account: None,
            enforce_limits: false,
            status_delay: Duration::ZERO,
            max_shards_per_page: MAX_SHARDS_PER_PAGE,
            seed: 0,
            faults: FaultPlan::default(),
            trimmed_positions: TrimmedPosition::default(),
        }
    }
}

impl InMemoryKinesis {
    /// Creates a simulator without streams that takes the time from `clock`.
    pub fn new(clock: Arc<dyn Clock>, options: InMemoryOptions) -> Self {
        Self {
            clock,
            faults: Arc::new(Faults::new(options.seed, options.faults.clone())),
            account_region: account_region::account_region_of(&options, None, None),
            options,
            streams: RwLock::default(),
            describes: Mutex::new(describe_budget()),
            creation_seconds: CreationSeconds::default(),
            consumer_times: ConsumerTimes::default(),
            #[cfg(feature = "simulator")]
            commitments: Commitments::default(),
        }
    }

    /// Replaces the fault plan; calls from now on fail by `plan`.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.faults.set_plan(plan);
    }

    /// Makes the next call of `operation` fail with `error` and without any effect. Scripted
    /// failures are used in order, before random ones.
    pub fn fail_next(&self, operation: Operation, error: ApiError) {
        self.faults.fail_next(operation, error);
    }

    /// Makes the next event of a subscription fail with `error` instead, which ends that subscription. Scripted
    /// failures are used in order, before random ones.
    pub fn fail_next_event(&self, error: ApiError) {
        self.faults.fail_next_event(error);
    }

    /// The number of calls of `operation`, including failed ones.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.faults.calls(operation)
    }

    /// Writes one record (PutRecord).
    pub async fn put_record(
        &self,
        stream: &StreamIdentity,
        entry: &PutEntry,
    ) -> ApiResult<WrittenRecord> {
        self.put_one(stream, entry.into()).await
    }
}

#[async_trait]
impl Kinesis for InMemoryKinesis {
    async fn describe_stream(&self, stream: &StreamIdentity) -> ApiResult<StreamSummary> {
        let (summary, _) = self
            .describe(Operation::DescribeStreamSummary, stream)
            .await?;
        Ok(summary)
    }

    async fn dry_run(&self, stream: &StreamIdentity, call: DryRun<'_>) -> ApiResult<DryRunAnswer> {
        let operation = match call {
            DryRun::GetShardIterator(_) => Operation::GetShardIterator,
            DryRun::GetRecords(_) => Operation::GetRecords,
            DryRun::PutRecords => Operation::PutRecords,
        };
        self.describe(operation, stream).await?;
        Ok(DryRunAnswer::Allowed)
    }

    async fn list_shards(&self, from: ListShardsFrom<'_>) -> ApiResult<ShardsPage> {
        let start = match from {
            ListShardsFrom::Start { stream, filter } => PageStart::First {
                stream,
                filter: filter.into(),
                after: None,
            },
            ListShardsFrom::Page { token, .. } => PageStart::Next(token),
        };
        self.list_shards_page(start, MAX_SHARDS_PER_PAGE).await
    }

    async fn get_shard_iterator(
        &self,
        stream: &StreamIdentity,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardIterator> {
        self.iterator_at(stream, shard, position).await
    }

    async fn get_records(
        &self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: usize,
        columns: RecordColumns,
    ) -> ApiResult<RecordsPage> {
        let mut sink = ColumnsSink::new(columns);
        let end = self
            .read_page(Some(stream), iterator, limit, &mut sink)
            .await?;
        let lag = Some(end.behind_latest);
        let last = end.last_sequence;
        Ok(sink.builder.finish(last, end.next, lag, end.children))
    }

    async fn put_records(
        &self,
        stream: &StreamIdentity,
        entries: &[PutEntry],
    ) -> ApiResult<Vec<PutOutcome>> {
        let entries: Vec<Incoming<'_>> = entries.iter().map(Incoming::from).collect();
        self.put(Operation::PutRecords, stream, &entries).await
    }

    async fn create_stream(&self, name: &StreamName, shard_count: u32) -> ApiResult<()> {
        self.create(
            &self.account_region,
            name,
            &NewStream::with_shards(shard_count),
        )
        .await
    }

    fn fan_out(&self) -> Option<&dyn FanOut> {
        Some(self)
    }
}

impl fmt::Debug for InMemoryKinesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = self.streams();
        f.debug_struct("InMemoryKinesis")
            .field("streams", &streams.keys())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
