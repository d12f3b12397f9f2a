//! A faithful Kinesis in memory, for tests: on a clock of the caller, with faults by seed.

mod account_region;
mod clock;
mod errors;
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
    ApiError, ApiResult, DryRun, DryRunAnswer, IteratorPosition, Kinesis, ListShardsFrom,
    Operation, PutEntry, PutOutcome, RecordColumns, RecordsPage, ShardIterator, ShardsPage,
    StreamSummary, WrittenRecord,
};
use crate::model::{Clock, ShardId, StreamIdentity, StreamName};
use account_region::Home;
use faults::Faults;
#[cfg(feature = "simulator")]
use operations::account_settings::Commitments;
use operations::describe::describe_budget;
use operations::get_records::ColumnsSink;
use operations::list_shards::PageStart;
use operations::put_records::Incoming;
use state::rate_limits::Bucket;
use state::sequence_number::CreationSeconds;
use state::stream::{NewStream, Stream};

/// By ARN, so that the streams of an account in a region follow each other by name.
type Streams = BTreeMap<Arc<str>, Arc<Stream>>;

/// Kinesis Data Streams in memory, true to the service where a reader or a writer can tell.
///
/// Sequence numbers have the layout of AWS, keys are routed by MD5, arrival times have milliseconds,
/// iterators and page tokens expire, pages stop at 10,000 records and 10 MiB, the lag is zero only
/// at the tip, closed shards name their children, and records leave when their retention is over.
/// A record is visible, in its order, as soon as the put that wrote it is answered or even before;
/// never after a later one.
///
/// Time is the clock's alone, and chance the seed's: with a [`TokioClock`] on paused time a test
/// with faults runs the same way every time.
///
/// Not simulated: enhanced fan-out, and resharding of on-demand streams by the service itself. Tags,
/// encryption, monitoring, policies and warm throughput can be set over HTTP (`EmbeddedServer`) and are
/// remembered; they change nothing.
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
    home: Home,
    streams: RwLock<Streams>,
    describes: Mutex<Bucket>,
    faults: Faults,
    creation_seconds: CreationSeconds,
    #[cfg(feature = "simulator")]
    commitments: Commitments,
}

/// How an [`InMemoryKinesis`] behaves.
#[derive(Debug, Clone)]
pub struct InMemoryOptions {
    /// The only region there is; default any, and `us-east-1` for who names none. Streams of different
    /// regions have nothing to do with each other.
    pub region: Option<String>,
    /// The only account there is; default any, and `000000000000` for who names none. Streams of
    /// different accounts have nothing to do with each other.
    pub account: Option<String>,
    /// Whether shards, ListShards and DescribeStreamSummary refuse what is above their rates, as on
    /// AWS; default no. Sizes and counts of a single call are always checked.
    pub enforce_limits: bool,
    /// How long a stream is `Creating`, `Updating` or `Deleting`; default no time at all.
    pub status_delay: Duration,
    /// The most shards on one page of ListShards; default 1,000 as on AWS.
    pub max_shards_per_page: usize,
    /// What faults are drawn from; default 0.
    pub seed: u64,
    /// Which calls go wrong; default none.
    pub faults: FaultPlan,
    /// What reading at or after a record that is past its retention does; default
    /// [`Resumes`](TrimmedPosition::Resumes).
    pub trimmed_positions: TrimmedPosition,
}

/// What an iterator at or after a record that is past its retention leads to: AWS gives no error
/// for it, and both of these have been seen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrimmedPosition {
    /// To the oldest record there is.
    #[default]
    Resumes,
    /// To empty pages for ever, whose lag is the retention. Only an iterator of another kind leads
    /// to records again.
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
    /// A service without streams, whose time is `clock`'s.
    pub fn new(clock: Arc<dyn Clock>, options: InMemoryOptions) -> Self {
        Self {
            clock,
            faults: Faults::new(options.seed, options.faults.clone()),
            home: account_region::home_of(&options, None, None),
            options,
            streams: RwLock::default(),
            describes: Mutex::new(describe_budget()),
            creation_seconds: CreationSeconds::default(),
            #[cfg(feature = "simulator")]
            commitments: Commitments::default(),
        }
    }

    /// From now on calls go wrong by `plan`.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.faults.set_plan(plan);
    }

    /// The next call of `operation` that nothing else was scripted for fails with `error`, and does
    /// nothing. Scripted failures come before drawn ones, in the order they were given.
    pub fn fail_next(&self, operation: Operation, error: ApiError) {
        self.faults.fail_next(operation, error);
    }

    /// How often `operation` was called, failed calls included.
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
        self.create(&self.home, name, &NewStream::with_shards(shard_count))
            .await
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
