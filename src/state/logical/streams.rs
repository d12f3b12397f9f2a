//! What the query tells this module about the streams of its statement.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::logical_plan::TableScan;

/// What is found out about the streams of a plan, and done to their scans.
pub(crate) trait Streams {
    /// Whether `plan` reads one.
    fn is_read_by(&self, plan: &LogicalPlan) -> Result<bool>;

    /// Which of the streams of the statement `scan` reads, if it reads one.
    fn place_of(&self, scan: &TableScan) -> Option<usize>;

    /// `scan`, if it is of a stream, with the number of the shard as its last column.
    fn numbered(&mut self, scan: &TableScan) -> Result<Option<LogicalPlan>>;
}
