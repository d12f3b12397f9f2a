#![doc = include_str!("guide/links.md")]
#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! The whole documentation is in [`guide`]. Most programs need only [`register`], [`sql`](fn@sql) and [`StreamingQuery`](query::StreamingQuery).
//!
//! | Module | Content |
//! |---|---|
//! | [`query`] | streaming queries: builder, handle, progress, listeners |
//! | [`monitor`] | what operators look at: the status page, metrics, health |
//! | [`options`] | the options of a table |
//! | [`model`] | plain data: shards, positions, triggers, output modes |
//! | [`checkpoint`] | where a query keeps its progress; committers of your own |
//! | [`aws`] | credentials, and providers of your own |
//! | [`kinesis`] | the service behind one trait, its SDK client and the simulator |
//! | [`aggregation`] | the aggregated-record format of the Kinesis Producer Library |

pub mod aggregation;
pub mod aws;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod benching;
pub mod checkpoint;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(test)]
mod documented;
mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
pub mod kinesis;
pub mod model;
pub mod monitor;
pub mod options;
pub mod query;
mod schema_registry;
mod session;
mod sink;
mod source;
mod sql;
mod state;
mod stores;
mod table;

mod error;

pub use error::{Error, ErrorKind, Result};
pub use session::{register, register_with, sql};
pub use sql::{StreamingSettings, fail_on_overflow};
pub use table::{KinesisTable, KinesisTableBuilder, KinesisTableFactory, Services, StoreRegistry};
