//! The pages of one shard, behind one trait.
//!
//! ```text
//!  above: buffers, lineage, batches, ends of reads, retry policy
//!  ────────────────────────── PageSource ──────────────────────────
//!  below: shard iterators, pacing, requests in flight, retention proof
//! ```
//!
//! [`PollingPages`] polls GetRecords, and [`SubscribedPages`] takes what SubscribeToShard pushes. Code above the trait does not depend on iterators (or subscriptions),
//! and code below it does not depend on buffers, lineage or batches.

mod polling;
#[cfg(test)]
pub(crate) mod scripted;
mod subscribed;

use std::fmt;

pub(crate) use self::polling::{PollingPages, PollingSettings};
#[cfg(feature = "cli")]
pub(crate) use self::subscribed::QUERY_TAG;
pub(crate) use self::subscribed::{
    AutoConsumer, ConsumerChoice, StreamConsumer, SubscribedPages, SubscribedSettings,
};
use crate::kinesis::{ApiError, ChildShard, RecordColumns, RecordsPage};
use crate::model::{ShardPosition, UnixMillis};
use crate::source::retention::Gap;

/// The pages of one shard, in order, from a position on.
///
/// A caller repeats: [`ready`](Self::ready), then either [`next_page`](Self::next_page) or
/// [`pause`](Self::pause).
///
/// # Contract
///
/// - **Order.** Pages follow one another without overlap: each record after the start is in one page, or was
///   reported as a possible [`Gap`] by the page that follows the gap. If the position is inside an aggregated
///   record, the next page begins with that record, unless the shard no longer holds it.
/// - **Position.** [`position`](Self::position) is the start, or just after the last record that was returned.
///   It moves only when `next_page` returns a page with records. It is always a position of a real record
///   that any implementation can resume from, never an internal continuation token.
/// - **Coverage.** [`ShardPage::covered`] is a lower bound: every record that had arrived by then is in this
///   page or an earlier one. Implementations return `None` unless they are certain.
/// - **End.** A page with [`ended`](ShardPage::ended) is the last page of a closed shard; do not request
///   another one.
/// - **Errors.** A failed call loses nothing: the next one continues at the same position. Implementations
///   renew expired handles, but neither wait for a retry nor give up: the caller decides how often and how
///   long to retry. They classify failures ([`Failure`]).
/// - **Cancellation.** `ready` can be dropped and called again. Dropping `next_page` abandons its request; the
///   next call continues at the same position.
/// - **Limits.** The limits of a [`PageRequest`] are for sources that request pages. A source to which the
///   service pushes pages may return larger ones, of at most one event.
pub(crate) trait PageSource: fmt::Debug + Send {
    /// Waits until the next page may be requested: the limits of the shard allow it, and a request slot is
    /// free, if one is needed. The slot is reserved until `next_page` or `pause`.
    fn ready(&mut self) -> impl Future<Output = ()> + Send;

    /// The next page, or `None` if this attempt returned none: call again. A caller that needs no page for a
    /// while calls [`pause`](Self::pause) instead.
    ///
    /// # Errors
    /// The request failed; the error classifies the failure.
    fn next_page(
        &mut self,
        request: PageRequest,
    ) -> impl Future<Output = Result<Option<ShardPage>, PageError>> + Send;

    /// Pauses reading, for example while buffers are full. Releases the resources of this process and of the
    /// service: a request slot, or a subscription whose unread events would block others on its connection.
    /// The next `ready` resumes at the same position.
    fn pause(&mut self);

    /// The start, or the position after the last record that was returned.
    fn position(&self) -> &ShardPosition;
}

/// The limits and the columns of the next page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageRequest {
    pub(crate) columns: RecordColumns,
    /// Memory for the page.
    pub(crate) max_bytes: usize,
    pub(crate) max_records: usize,
}

/// A page of Kinesis records, and what it shows about its shard.
#[derive(Debug)]
pub(crate) struct ShardPage {
    /// The records that were not returned before.
    pub(crate) records: RecordsPage,
    /// Every record that had arrived by then has been returned; `None` if the page does not show that.
    pub(crate) covered: Option<UnixMillis>,
    /// Every record that had arrived by then has been returned, or precedes the start; may come from earlier
    /// pages.
    pub(crate) read_to: Option<UnixMillis>,
    /// Whether the page ended at the tip of the shard.
    pub(crate) at_tip: bool,
    /// Whether the service reported that there is nothing more: no record, and no lag.
    pub(crate) found_nothing: bool,
    /// Records that may have expired before they were read, between the previous page and this one.
    pub(crate) gap: Option<Gap>,
    /// The children that the service names; set if the shard is closed and this is its last page.
    pub(crate) ended: Option<Vec<ChildShard>>,
}

/// A failed attempt to get a page.
#[derive(Debug)]
pub(crate) struct PageError {
    pub(crate) error: ApiError,
    pub(crate) failure: Failure,
}

/// The kind of a failure, as it matters for reading the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Throttled, unreachable, timed out, or in use: retry.
    Transient,
    /// The service rejects the shard as unknown: it has expired, or is too new to be known on every server.
    UnknownShard,
    /// The service rejects the position, or a handle from it: the stream may have been deleted and created
    /// again.
    RejectedPosition,
    /// The start is a time that the service's clock has not reached yet, but is about to.
    StartInFuture,
    /// Retrying does not help.
    Permanent,
}
