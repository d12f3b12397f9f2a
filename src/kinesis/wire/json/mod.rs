//! JSON (`application/x-amz-json-1.1`), which all servers speak.

mod get_records;
mod put_records;
mod refusal;
mod subscribe;

pub(super) use get_records::{get_records, records_page, subscription_event};
pub(super) use put_records::{put_outcomes, put_records};
pub(super) use refusal::refusal;
pub(super) use subscribe::subscribe_to_shard;
