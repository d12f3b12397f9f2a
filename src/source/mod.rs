//! From positions to Arrow rows.
//!
//! ```text
//!  ShardRead ──▶ ShardReader ──GetRecords──▶ RecordsPage ──▶ RowBuilder ──▶ RecordBatch of rows
//!  (shard,       (pacing, retries,           (Kinesis         (opens aggregates,
//!   from, to)     iterators, tip)             records)         projects columns)
//! ```
//!
//! Decisions are pure: when to call next in `pacing`, when a bounded read is done in `tip`, which
//! rows a page holds in `rows`. The reader does the I/O.

mod buffered;
mod columns;
mod counters;
mod pacing;
mod polling;
mod read;
mod rows;
mod starts;
mod tip;

pub(crate) use buffered::{BatchReads, PageSlice, RowPlace};
pub use columns::{RowColumn, row_schema};
pub(crate) use counters::ReadCounters;
pub(crate) use polling::ShardReader;
pub(crate) use read::{ReadContext, ShardRead, Until, filter_range};
pub(crate) use starts::starts;
