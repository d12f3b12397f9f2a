//! From positions to Arrow rows.
//!
//! ```text
//!  ShardRead ──▶ ShardReader ──GetRecords──▶ RecordsPage ──▶ RowBuilder ──▶ RecordBatch of rows
//!  (shard,       (pacing, retries,           (Kinesis         (opens aggregates,
//!   from, to)     iterators, end)             records)         projects columns)
//!            ╰──────────▶ BatchReads ──────▶ PageSlice ──────────────╯
//!                         (what of a batch is in memory)
//! ```
//!
//! Decisions are pure: when to call next in `pacing`, when a bounded read is done in `tip`, where an
//! exact one begins and ends in `range`, which rows a page holds in `rows`, whether retention has taken
//! records before they were read in `horizon`. The reader does the I/O.
//!
//! A streaming query keeps its readers (`follow`): they fill a `buffer` for each shard, `lineage`
//! says which shards may be read, and `planner` what the next batch takes. `watermark` says how far the
//! event times of its rows are.

#[cfg(test)]
mod altered;
mod budget;
mod buffer;
mod buffered;
mod columns;
mod counted;
mod counters;
mod families;
mod fetch;
mod fetches;
pub(crate) mod follow;
mod horizon;
mod lineage;
mod pacing;
mod planner;
mod polling;
mod present;
mod range;
mod read;
mod reader;
mod recent;
mod retention;
mod rows;
mod starts;
mod tip;
pub(crate) mod watermark;

#[cfg(test)]
pub(crate) use buffered::RowPlace;
pub(crate) use buffered::{BatchReads, PageSlice};
pub use columns::{RowColumn, row_schema};
pub(crate) use counters::ReadCounters;
pub(crate) use families::families;
pub(crate) use fetches::Fetches;
pub(crate) use pacing::PAGES_BYTES;
pub(crate) use present::present;
pub(crate) use read::{ReadContext, ShardRead, Until, filter_range};
pub(crate) use reader::RowReader;
pub(crate) use retention::StreamRetention;
pub(crate) use starts::{refuse_future, starts};
