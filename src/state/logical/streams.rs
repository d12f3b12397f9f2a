//! [`Streams`]: which tables of a statement are streams, and which one each scan reads.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::logical_plan::TableScan;

/// The streams of a statement, and changes to their scans.
pub(crate) trait Streams {
    /// Whether `plan` reads a stream.
    fn is_read_by(&self, plan: &LogicalPlan) -> Result<bool>;

    /// The index of the stream that `scan` reads, if it reads one.
    fn index_of(&self, scan: &TableScan) -> Option<usize>;

    /// Adds the number of the shard as the last column of `scan`; `None` if it does not read a stream.
    fn numbered(&mut self, scan: &TableScan) -> Result<Option<LogicalPlan>>;
}
