//! The DataFusion face: a stream as a table.
//!
//! [`KinesisTable`] is one stream as a `TableProvider`, made in code with its builder or by
//! `CREATE [UNBOUNDED] EXTERNAL TABLE … STORED AS "aws-kinesis"` through [`KinesisTableFactory`], which
//! [`register`](crate::register) installs. [`StreamingSettings`] are what a session says about streaming
//! queries. [`logical_plan`] plans a statement with the column names of Kinesis tables written in any
//! case, and with time windows in GROUP BY.
//!
//! ```text
//!  SELECT: KinesisReadExec ◀── DataSourceExec(one descriptor row per shard, a partition each)
//!          (kinesis.ordered: a partition per family of shards; a batch: BatchTable, one row per range)
//!  INSERT: RowCountExec ◀── KinesisSinkExec(a few writers for all partitions) ◀── input
//!          (ORDER BY: … ◀── InOrderExec ◀── SortExec)
//! ```

mod advice;
mod batch_table;
mod builder;
mod definition;
mod descriptor;
mod distinct_floats;
mod engine_rules;
mod factory;
mod file_places;
mod files;
mod functions;
mod identifiers;
mod names;
mod order;
mod overflow;
mod provider;
mod pushdown;
mod read_exec;
mod row_errors;
mod scan;
mod service;
mod settings;
mod sink_exec;
mod sql;
mod stream;
pub(crate) mod windows;

pub(crate) use batch_table::BatchTable;
pub use builder::KinesisTableBuilder;
pub(crate) use engine_rules::expect_rules;
pub use factory::KinesisTableFactory;
#[cfg(feature = "cli")]
pub(crate) use factory::kinesis_table;
pub(crate) use factory::register_with;
pub(crate) use files::expect_files;
pub use order::InOrderExec;
pub(crate) use order::in_source_order;
pub(crate) use overflow::check_overflow;
pub use overflow::fail_on_overflow;
pub use provider::KinesisTable;
pub use read_exec::KinesisReadExec;
pub use row_errors::RowErrorExec;
pub(crate) use row_errors::with_record;
pub use service::Services;
pub(crate) use settings::InStreamingQuery;
pub use settings::StreamingSettings;
pub use sink_exec::{KinesisSinkExec, RowCountExec};
pub(crate) use sql::{READ_STATE, logical_plan, plan_to_run};
