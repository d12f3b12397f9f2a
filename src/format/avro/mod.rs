//! Avro documents to rows, and rows to documents.
//!
//! A schema and the columns of a query are compiled once to a plan that says what to do with each value. Fields
//! without a column are walked over, too, so whether a document is valid does not depend on which columns a
//! query reads.

mod decoder;
mod encode;
mod fit;
mod framing;
mod input;
mod plan;
mod rows;
mod scalar;
mod schema;
mod walk;

pub(super) use self::decoder::AvroDecoder;
pub(super) use self::encode::AvroRows;
pub(super) use self::fit::expect_fitting;
pub(crate) use self::schema::AvroSchema;
#[cfg(feature = "cli")]
pub(super) use self::schema::{SchemaColumns, columns};

#[cfg(test)]
mod tests;
