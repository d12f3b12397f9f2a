//! The bodies of GetRecords and PutRecords: requests written from entries, answers decoded straight into columns.
//!
//! The SDK has one struct per record for both.

mod cbor;
mod json;
mod put_outcome;

use std::error::Error as StdError;
use std::time::Duration;

use super::buffer_pool::BufferPool;
use super::{
    IteratorPosition, PutEntry, PutOutcome, RecordColumns, RecordsPage, ShardIterator,
    SubscriptionEvent,
};
use crate::model::{ConsumerArn, SequenceNumber, ShardId, StreamIdentity, UnixMillis};

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Cbor,
}

/// Why a body cannot be decoded.
pub(crate) type Undecodable = Box<dyn StdError + Send + Sync>;

impl Format {
    /// The value of the header `content-type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-amz-json-1.1",
            Self::Cbor => "application/x-amz-cbor-1.1",
        }
    }

    /// The format of an answer with this header. What is not CBOR is JSON, as servers name it in several ways.
    pub(crate) fn of(content_type: Option<&str>) -> Self {
        match content_type.is_some_and(|name| name.to_ascii_lowercase().contains("cbor")) {
            true => Self::Cbor,
            false => Self::Json,
        }
    }

    /// The bytes of an answer with small records that are decoded in about a millisecond. Large records are decoded
    /// faster.
    pub(crate) fn bytes_per_millisecond(self) -> usize {
        match self {
            Self::Json => 3 << 19,
            Self::Cbor => 3 << 20,
        }
    }

    /// The body of a GetRecords request.
    pub(crate) fn get_records(
        self,
        stream: &StreamIdentity,
        iterator: &ShardIterator,
        limit: i32,
    ) -> Vec<u8> {
        match self {
            Self::Json => json::get_records(stream, iterator, limit),
            Self::Cbor => cbor::get_records(stream, iterator, limit),
        }
    }

    /// The body of a PutRecords request.
    pub(crate) fn put_records(self, stream: &StreamIdentity, entries: &[PutEntry]) -> Vec<u8> {
        match self {
            Self::Json => json::put_records(stream, entries),
            Self::Cbor => cbor::put_records(stream, entries),
        }
    }

    /// The page in an answer to GetRecords, in memory of `pool`.
    ///
    /// # Errors
    /// The answer is malformed, or lacks a member that the service always sends.
    pub(crate) fn records_page(
        self,
        body: &[u8],
        columns: RecordColumns,
        pool: &BufferPool,
    ) -> Result<RecordsPage, Undecodable> {
        Ok(match self {
            Self::Json => json::records_page(body, columns, pool)?,
            Self::Cbor => cbor::records_page(body, columns, pool)?,
        })
    }

    /// The event in a message of a subscription, in memory of `pool`.
    ///
    /// # Errors
    /// As [`records_page`](Self::records_page).
    pub(super) fn subscription_event(
        self,
        body: &[u8],
        columns: RecordColumns,
        pool: &BufferPool,
    ) -> Result<SubscriptionEvent, Undecodable> {
        Ok(match self {
            Self::Json => json::subscription_event(body, columns, pool)?,
            Self::Cbor => cbor::subscription_event(body, columns, pool)?,
        })
    }

    /// The refusal in an answer with an error.
    ///
    /// # Errors
    /// It is malformed CBOR. What is not CBOR may be the page of a proxy.
    pub(super) fn refusal(self, body: &[u8]) -> Result<Refusal, Undecodable> {
        Ok(match self {
            Self::Json => json::refusal(body),
            Self::Cbor => cbor::refusal(body)?,
        })
    }

    /// The outcome of each entry, in an answer to PutRecords.
    ///
    /// # Errors
    /// As [`records_page`](Self::records_page).
    pub(crate) fn put_outcomes(self, body: &[u8]) -> Result<Vec<PutOutcome>, Undecodable> {
        Ok(match self {
            Self::Json => json::put_outcomes(body)?,
            Self::Cbor => cbor::put_outcomes(body)?,
        })
    }
}

/// Why a server refused a request, as far as its answer tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The error code, without its namespace.
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

impl Refusal {
    /// The error code in `name`, which may have a namespace before it and a URL behind it (AWS JSON 1.1 protocol,
    /// "Operation error serialization").
    pub(super) fn code(name: &str) -> String {
        let name = name.rsplit('#').next().unwrap_or(name);
        name.split(':').next().unwrap_or(name).to_owned()
    }
}

/// The body of a SubscribeToShard request, which is always JSON: what is pushed is JSON, too.
pub(super) fn subscribe_to_shard(
    consumer: &ConsumerArn,
    shard: &ShardId,
    position: &IteratorPosition,
) -> Vec<u8> {
    json::subscribe_to_shard(consumer, shard, position)
}

/// The time of an arrival. The number of milliseconds may have lost precision as a float; rounding restores it.
///
/// # Errors
/// It is no number, or a year after 9999.
#[inline]
fn unix_millis(millis: f64) -> Result<UnixMillis, String> {
    const END_OF_9999: f64 = 253_402_300_800_000.0;
    match millis.abs() < END_OF_9999 {
        // `f64::round` would be a call of the C library for each record.
        #[expect(clippy::cast_possible_truncation, reason = "it is below 2^53")]
        true => Ok(UnixMillis((millis + 0.5_f64.copysign(millis)) as i64)),
        false => Err(format!("{millis} ms is no time of an arrival")),
    }
}

/// How far a page is behind the tip.
fn behind(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis.max(0.0) / 1_000.0).unwrap_or(Duration::MAX)
}

/// Checks the sequence number of a record.
///
/// # Errors
/// It is none.
#[inline]
fn check_number(digits: &[u8]) -> Result<(), String> {
    match SequenceNumber::is_valid(digits) {
        true => Ok(()),
        false => sequence_number(digits).map(drop),
    }
}

/// The sequence number of a record.
///
/// # Errors
/// It is none.
fn sequence_number(digits: &[u8]) -> Result<SequenceNumber, String> {
    SequenceNumber::new(&String::from_utf8_lossy(digits)).map_err(|error| error.to_string())
}
