#![doc = include_str!("guide/links.md")]
#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! The whole documentation is in [`guide`]. Most programs need [`register`], [`sql`](fn@sql) and [`StreamingQuery`] only.
//!
//! | Module | Content |
//! |---|---|
//! | [`query`] | streaming queries: builder, handle, progress, listeners |
//! | [`options`] | the options of a table |
//! | [`model`] | plain data: shards, positions, triggers, output modes |
//! | [`checkpoint`] | where a query keeps its progress; committers of your own |
//! | [`aws`] | credentials, and providers of your own |
//! | [`kinesis`] | the service behind one trait, its SDK client and the simulator |
//! | [`source`], [`sink`] | reading positions into rows, writing rows as records |
//! | [`aggregation`] | the aggregated-record format of the Kinesis Producer Library |

pub mod aggregation;
pub mod aws;
pub mod checkpoint;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
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
