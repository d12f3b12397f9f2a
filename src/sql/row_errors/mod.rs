//! Which record an expression has failed at, and which expression it was.
//!
//! An error of the engine names a value at best: "Cannot cast string 'abc'". Where one comes up, what was
//! read is read again, each batch is computed by itself, and the one that fails is halved until one record
//! is left. Nothing is noted for it while all goes well, but the position of each page.
//!
//! ```text
//!  a plan                      what is run again
//!  RowErrorExec                AggregateExec(Partial)     up to the first aggregate, or to the sink
//!  ProjectionExec              ProjectionExec
//!  AggregateExec(Final)        FilterExec
//!  AggregateExec(Partial)      DataSourceExec             some of the records
//!  ProjectionExec
//!  FilterExec
//!  KinesisReadExec
//! ```

mod expression;
mod message;
mod plan_part;
mod row_error_exec;
mod search;

pub use row_error_exec::RowErrorExec;
pub(in crate::sql) use row_error_exec::RowErrorRule;
pub(crate) use search::with_record;
