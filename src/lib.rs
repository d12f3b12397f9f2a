//! Amazon Kinesis Data Streams as tables of Apache DataFusion.

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod kinesis;
pub mod model;

mod error;

pub use error::{Error, ErrorKind, Result};
