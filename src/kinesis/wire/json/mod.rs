//! JSON (`application/x-amz-json-1.1`), which all servers speak.

mod get_records;
mod put_records;

pub(in crate::kinesis) use get_records::records_page;
pub(in crate::kinesis) use put_records::{put_outcomes, put_records};
