//! What is to be read, and with what.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::DateTime;

use tokio::time::Instant;

use super::buffered::BatchReads;
use super::columns::RowColumn;
use super::fetches::Fetches;
use super::horizon::Kept;
use super::recent::RecentPages;
use super::retention::StreamRetention;
use super::rows::RowBuilder;
use crate::error::{Error, Result};
use crate::kinesis::{ApiResult, Backoff, IteratorPosition, Kinesis, RecordDistribution};
use crate::model::{
    Clock, HashRange, RetryPolicy, ShardId, ShardPosition, StreamIdentity, UnixMillis,
};
use crate::options::{HashFilter, SourceOptions};

/// What all shards of one scan share.
#[derive(Debug, Clone)]
pub(crate) struct ReadContext {
    pub(crate) kinesis: Arc<dyn Kinesis>,
    pub(crate) stream: StreamIdentity,
    pub(crate) options: SourceOptions,
    pub(crate) retry: RetryPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    /// What the requests of all shards share.
    pub(crate) fetches: Arc<Fetches>,
    /// Shards that are read side by side.
    pub(crate) shards: usize,
    /// The largest record the stream takes.
    pub(crate) max_record_bytes: usize,
    /// How long the stream keeps its records.
    pub(crate) retention: Arc<StreamRetention>,
    /// The batch that is read, with what of it is in memory; none where a shard is read to its tip.
    pub(crate) buffered: Option<Arc<BatchReads>>,
    /// Where shards that are read to their tip were read last.
    pub(crate) recent: Arc<RecentPages>,
}

impl ReadContext {
    /// Where in the stream something happened.
    pub(super) fn place(&self, shard: &ShardId, position: &ShardPosition) -> String {
        let stream = self.stream.name();
        format!("stream '{stream}', shard '{shard}', position {position}")
    }

    /// What is known of the retention at `since` or later.
    ///
    /// # Errors
    /// The service did not answer.
    pub(super) async fn learn_retention(&self, since: Instant) -> ApiResult<Kept> {
        let (kinesis, clock) = (&*self.kinesis, &*self.clock);
        self.retention
            .learn(kinesis, &self.stream, clock, since)
            .await
    }

    /// The waits of a request that is sent again: what a batch reads is tried as long as its query runs.
    pub(super) fn backoff(&self, random: fastrand::Rng) -> Backoff {
        match self.buffered {
            Some(_) => Backoff::endless(self.retry, random),
            None => Backoff::new(self.retry, random),
        }
    }

    /// What makes rows of `columns` out of the pages of `read`.
    pub(super) fn row_builder(&self, read: &ShardRead, columns: &[RowColumn]) -> RowBuilder {
        RowBuilder::new(
            self.stream.name().clone(),
            read.shard.clone(),
            read.hash_range,
            self.options.hash_filter,
            columns.to_vec(),
        )
        .numbered(read.number)
    }
}

/// What is to be read of one shard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShardRead {
    pub(crate) shard: ShardId,
    /// Set where user records outside it are left out.
    pub(crate) hash_range: Option<HashRange>,
    pub(crate) start: ShardPosition,
    pub(crate) until: Until,
    /// The most rows.
    pub(crate) limit: Option<u64>,
    /// The rows an exact range had when it was planned, those that a hash filter leaves out counted;
    /// `None` where that is not known.
    pub(crate) rows: Option<u64>,
    /// Its number among the reads of a batch, over all sources; 0 where nobody has numbered them.
    pub(crate) number: u32,
}

/// Where a read ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Until {
    /// With all that was there at this time.
    Tip(UnixMillis),
    /// With all that was there at `tip`, except what follows a record that arrived later than `by`.
    Arrived {
        /// The time of the tip.
        tip: UnixMillis,
        /// No record behind one that arrived later is wanted.
        by: UnixMillis,
    },
    /// With the row at this place, which is certain to exist; nowhere where it is the start.
    Position(ShardPosition),
}

impl Until {
    /// The time after which nothing is wanted any more, where there is one.
    pub(super) fn arrived_by(&self) -> Option<UnixMillis> {
        match self {
            Self::Arrived { by, .. } => Some(*by),
            Self::Tip(_) | Self::Position(_) => None,
        }
    }

    /// Whether nothing that arrived at `time` or later is wanted.
    pub(super) fn is_before(&self, time: UnixMillis) -> bool {
        match self {
            Self::Tip(tip) => time > *tip,
            Self::Arrived { tip, by } => time > *tip || time > *by,
            Self::Position(_) => false,
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tip(begun_at) => write!(f, "TIP {begun_at}"),
            Self::Arrived { tip, by } => write!(f, "TIP {tip} ARRIVED {by}"),
            Self::Position(position) => position.fmt(f),
        }
    }
}

impl FromStr for Until {
    type Err = Error;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self> {
        let Some(times) = text.strip_prefix("TIP ") else {
            return text.parse().map(Self::Position);
        };
        let time = |time: &str| match DateTime::parse_from_rfc3339(time) {
            Ok(time) => Ok(UnixMillis(time.timestamp_millis())),
            Err(_) => Err(Error::internal(format!("'{text}' is no end of a read"))),
        };
        match times.split_once(" ARRIVED ") {
            None => time(times).map(Self::Tip),
            Some((tip, by)) => Ok(Self::Arrived {
                tip: time(tip)?,
                by: time(by)?,
            }),
        }
    }
}

/// The hash range user records of `shard` must lie in, where that matters: a producer with an
/// outdated shard map writes only into shards that were made by a reshard, which have a parent.
pub(crate) fn filter_range(
    filter: HashFilter,
    distribution: RecordDistribution,
    has_parent: bool,
    hash_range: HashRange,
) -> Option<HashRange> {
    let filtered = match filter {
        HashFilter::PerRecord => has_parent,
        HashFilter::Kcl => true,
        HashFilter::None => false,
    };
    let by_key = distribution == RecordDistribution::PartitionKey;
    (by_key && filtered).then_some(hash_range)
}

/// A place inside an aggregated record is reached by reading that record again.
pub(super) fn iterator_position(position: &ShardPosition) -> IteratorPosition {
    match position {
        ShardPosition::TrimHorizon => IteratorPosition::TrimHorizon,
        ShardPosition::AtTimestamp(time) => IteratorPosition::AtTimestamp(*time),
        ShardPosition::At(sequence)
        | ShardPosition::After {
            sequence,
            sub_sequence: Some(_),
        } => IteratorPosition::At(sequence.clone()),
        ShardPosition::After {
            sequence,
            sub_sequence: None,
        } => IteratorPosition::After(sequence.clone()),
        ShardPosition::ShardEnd => IteratorPosition::Latest,
    }
}
