//! JSON documents to rows.
//!
//! serde_json parses; seeds put the values of the wanted fields straight into columns, and everything else is
//! only checked for its grammar. So whether a document is valid does not depend on which fields a query reads.

mod document;
mod elements;
mod entries;
mod explode;
mod failures;
mod fields;
mod findings;
mod framing;
mod keys;
mod rows;
mod shape;
mod value;

pub(super) use self::document::JsonDecoder;
pub(super) use self::elements::{Elements, check_object};
#[cfg(feature = "cli")]
pub(super) use self::entries::{at_path, entries};
pub(super) use self::failures::offset;
pub(super) use self::fields::{FieldValue, RowValues, values_of};
pub(super) use self::framing::{each_document, text_of};
pub(super) use self::shape::Shape;

#[cfg(test)]
mod tests;
