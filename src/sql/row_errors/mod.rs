//! Finds the record and the expression at which a statement failed.
//!
//! An error of DataFusion names a value at best: "Cannot cast string 'abc'". After such an error this module
//! reads the same records again, runs each batch on its own, and bisects the failing batch down to one record.
//! Statements that succeed pay only for remembering the position of each page.
//!
//! ```text
//!  plan                        part that runs again
//!  RowErrorExec                AggregateExec(Partial)     up to the first aggregate or the sink
//!  ProjectionExec              ProjectionExec
//!  AggregateExec(Final)        FilterExec
//!  AggregateExec(Partial)      DataSourceExec             a subset of the records
//!  ProjectionExec
//!  FilterExec
//!  KinesisReadExec
//! ```

mod expression;
mod message;
mod plan_part;
mod row_error_exec;
mod search;

/// The name of the node. A search excludes it, so that it does not start another search.
const ROW_ERROR_EXEC: &str = "RowErrorExec";

pub(in crate::sql) use row_error_exec::RowErrorRule;
pub(crate) use search::with_record;
