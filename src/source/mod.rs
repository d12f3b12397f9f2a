//! Reads shards from given positions, and returns their records as Arrow rows.
//!
//! ```text
//!  bounded reads (read)        streaming readers (streaming) ── buffers and planning (buffer)
//!           │      ╲           ╱      │           ╲
//!           │       pages of a shard  │            lineage, starts
//!           │       (pages)           │
//!           ▼        │                ▼
//!   page → rows      ├── retention: have records expired unread?
//!   (rows)           └── request: slots, pacing, what an answer covers
//! ```
//!
//! - [`request`]: one request to the service: slots and memory in flight, pacing, coverage of a
//!   response.
//! - [`retention`]: whether retention has removed records before they were read.
//! - [`pages`]: the pages of one shard, behind the [`PageSource`](pages::PageSource) trait.
//! - [`rows`]: a page of Kinesis records as rows: opening aggregates, cutting, columns.
//! - [`read`]: one read of a shard with a known end: a bounded scan, or the range of a batch.
//! - [`lineage`]: the graph of splits and merges; which shards may be read.
//! - [`starts`]: where each shard starts.
//! - [`buffer`]: pages read ahead, and how much of them the next batch takes.
//! - [`streaming`]: the long-lived readers of a streaming query.
//! - [`watermark`]: the event-time watermark of a query, from the event times of its shards.
//!
//! Folders depend on folders further up in this list only, and on [`context`].

mod buffer;
mod context;
mod lineage;
mod pages;
mod read;
mod request;
mod retention;
mod rows;
mod starts;
pub(crate) mod streaming;
#[cfg(test)]
mod test_service;
pub(crate) mod watermark;

pub(crate) use context::StreamContext;
pub(crate) use lineage::families;
#[cfg(feature = "cli")]
pub(crate) use pages::QUERY_TAG;
pub(crate) use pages::{AutoConsumer, ConsumerChoice, StreamConsumer, SubscribedSettings};
pub(crate) use read::{BatchReads, ReadContext, ReadCounters, RowReader, ShardRead, Until};
pub(crate) use request::{InFlightLimits, SCAN_PAGES_BYTES};
pub(crate) use retention::StreamRetention;
#[cfg(test)]
pub(crate) use rows::RowIndex;
pub(crate) use rows::{PageSlice, hash_filter_range};
pub(crate) use rows::{RowColumn, page_columns, row_schema};
pub(crate) use starts::{reject_future_start, resolve_latest, resolve_starts};
