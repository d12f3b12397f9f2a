//! Amazon Kinesis Data Streams as tables of Apache DataFusion.

pub mod aggregation;
pub mod kinesis;
pub mod model;
pub mod sink;

mod error;

pub use error::{Error, ErrorKind, Result};
