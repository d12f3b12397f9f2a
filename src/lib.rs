#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! [`model`]: plain data. [`options`]: what a user may write. [`aws`]: credentials. [`kinesis`]: the
//! service, the SDK behind it and the simulator. [`aggregation`]: the KPL format. [`source`] and [`sink`]: between positions, rows
//! and records. [`checkpoint`]: how far a streaming query is. [`query`]: a statement over an unbounded
//! table as it runs. The rest of the names below is the face to DataFusion.

pub mod aggregation;
pub mod aws;
pub mod checkpoint;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod kinesis;
pub mod model;
pub mod options;
pub mod query;
mod session;
pub mod sink;
pub mod source;
mod sql;
mod state;
mod table;

mod error;

pub use aws::CredentialProviders;
pub use error::{Error, ErrorKind, Result};
pub use model::{OutputMode, Trigger};
pub use query::{
    QueryEnd, QueryStatus, StreamingQuery, StreamingQueryBuilder, StreamingQueryListener,
    StreamingQueryProgress, is_streaming,
};
pub use session::{register, register_with, sql};
pub use sql::{RowErrorExec, StreamingSettings, fail_on_overflow};
pub use state::{EventTimeExec, StateExec};
pub use table::{
    InOrderExec, KinesisReadExec, KinesisSinkExec, KinesisTable, KinesisTableBuilder,
    KinesisTableFactory, RowCountExec, Services,
};
