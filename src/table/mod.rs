//! The DataFusion side: a stream as a table, with its plan nodes.
//!
//! [`KinesisTable`] is a `TableProvider` for one stream. It is built in code, or by
//! `CREATE [UNBOUNDED] EXTERNAL TABLE … STORED AS "aws-kinesis"` through [`KinesisTableFactory`], which
//! [`register`](crate::register) installs. [`Services`] hold the clients that tables share. [`BatchTable`]
//! replaces an unbounded table in one batch of a streaming query. [`FileTable`](file_table) lists the files of a table
//! for each read, in the stores of a [`StoreRegistry`].
//!
//! ```text
//!  SELECT: KinesisReadExec ◀── DataSourceExec(one descriptor row and one partition per shard)
//!          (kinesis.format: KinesisDecodeExec ◀── KinesisReadExec)
//!          (kinesis.ordered: a partition per family of shards; a batch: BatchTable, one row per range)
//!  INSERT: RowCountExec ◀── KinesisSinkExec(some writers, each for several partitions) ◀── input
//!          (kinesis.format: KinesisSinkExec ◀── KinesisEncodeExec ◀── input)
//!          (ORDER BY: … ◀── InOrderExec ◀── SortExec)
//! ```

mod batch_table;
mod builder;
mod columns;
mod dead_letters;
mod decode_exec;
mod descriptor;
mod encode_exec;
mod encode_plan;
mod factory;
mod file_table;
mod in_streaming_query;
mod kinesis_table;
mod provider;
mod pushdown;
mod read_exec;
mod registered_schemas;
mod row_order;
mod scan;
mod schema_files;
mod services;
mod sink_exec;
mod sink_keys;
mod store_registry;
mod stream_lookup;
mod unary_node;

pub(crate) use batch_table::BatchTable;
pub use builder::KinesisTableBuilder;
pub(crate) use decode_exec::KinesisDecodeExec;
pub(crate) use encode_exec::KinesisEncodeExec;
pub use factory::KinesisTableFactory;
#[cfg(feature = "cli")]
pub(crate) use factory::kinesis_table;
pub(crate) use factory::{NO_CHECKS, install, is_kinesis_format, refusal};
pub(crate) use file_table::{expect_files, keep_rows, relist_files};
pub(crate) use in_streaming_query::InStreamingQuery;
pub use kinesis_table::KinesisTable;
pub(crate) use read_exec::KinesisReadExec;
pub(crate) use registered_schemas::RegisteredSchemas;
pub(crate) use row_order::in_source_order;
pub use services::Services;
pub(crate) use sink_exec::{KinesisSinkExec, RowCountExec};
pub use store_registry::StoreRegistry;
pub(crate) use unary_node::{only_child, unary_node, visit_expressions};
