//! CBOR (`application/x-amz-cbor-1.1`), as the AWS SDK for Java sends and reads it. It is a quarter smaller than
//! JSON, because payloads are byte strings.
//!
//! What is read is what that SDK reads: strings, maps and arrays of definite and of unknown length, times with and
//! without their tag, and payloads as base64 text.

mod get_records;
mod put_records;
mod reading;
mod refusal;

pub(super) use get_records::{get_records, records_page, subscription_event};
pub(super) use put_records::{put_outcomes, put_records};
pub(super) use refusal::refusal;

#[cfg(test)]
mod tests;
