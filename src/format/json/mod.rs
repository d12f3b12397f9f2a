//! JSON documents to rows.
//!
//! serde_json parses; seeds put the values of the wanted fields straight into columns, and everything else is
//! only checked for its grammar. So whether a document is valid does not depend on which fields a query reads.

mod document;
mod findings;
mod keys;
mod value;

pub(super) use self::document::JsonDecoder;

#[cfg(test)]
mod tests;
