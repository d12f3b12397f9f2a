//! Payloads to columns and back.
//!
//! Reading: a record is decompressed, cut into documents, and each document becomes one row of columns, or none.
//! [`PayloadSchema`] says what a table's payload looks like, and a [`Decoder`] decodes the records of one
//! partition.
//!
//! ```text
//!  record ─▶ decompress ─▶ frame ─▶ document ─▶ one value in each column
//!                 │           │          │
//!                 └───────────┴──────────┴──▶ a bad document: fails, or is a row of NULLs, or is skipped
//! ```
//!
//! Writing: an [`Encoder`] turns each row into one document, which is compressed.
//!
//! Which rows a record gives depends only on the structure of its payload: never on the columns that a query
//! reads, nor on whether values fit their columns. So `count(*)` agrees with `SELECT *`.

mod avro;
mod columns;
mod compression;
mod csv;
mod decoder;
mod document_decoder;
mod documents;
mod encode;
mod header;
#[cfg(feature = "cli")]
pub(crate) mod infer;
mod json;
mod names;
mod presets;
#[cfg(feature = "protobuf")]
mod protobuf;
mod schema;
mod sources;
mod text;

pub(crate) use self::avro::AvroSchema;
pub(crate) use self::decoder::{Decoded, Decoder};
pub(crate) use self::documents::BadDocument;
pub(crate) use self::encode::Encoder;
pub(crate) use self::names::refuse_same_names;
pub(crate) use self::schema::PayloadSchema;

/// Decoded rows are handed on once their columns have about this many bytes. Together with the largest document it
/// keeps offsets within 32 bits.
const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;

/// What a text in UTF-8 may start with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
