//! Amazon Kinesis Data Streams as tables of Apache DataFusion.

pub mod aggregation;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod kinesis;
pub mod model;
pub mod options;
pub mod sink;
pub mod source;
mod table;

mod error;

pub use error::{Error, ErrorKind, Result};
pub use table::{
    KinesisReadExec, KinesisSinkExec, KinesisTable, KinesisTableBuilder, KinesisTableFactory,
    RowCountExec, Services, register, register_with, sql,
};
