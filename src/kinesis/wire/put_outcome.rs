//! The outcome of one entry of PutRecords, in any format.

use std::borrow::Cow;

use serde::Deserialize;

use crate::kinesis::{ApiError, ApiErrorKind, Operation, PutFailure, PutOutcome, WrittenRecord};
use crate::model::{SequenceNumber, ShardId};

/// How much of an error message is kept.
const MAX_MESSAGE_CHARS: usize = 500;

/// What an answer says about an entry.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Written<'a> {
    #[serde(borrow)]
    pub(super) shard_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) sequence_number: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error_code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error_message: Option<Cow<'a, str>>,
}

/// Whether the entry was written.
///
/// # Errors
/// The answer lacks a member that the service always sends.
pub(super) fn put_outcome(written: Written<'_>) -> Result<PutOutcome, String> {
    if let Some(code) = written.error_code.filter(|code| !code.is_empty()) {
        let message = written.error_message.unwrap_or_default();
        let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
        let failure = ApiError::from_code(Operation::PutRecords, &code, message);
        return Ok(Err(PutFailure {
            throttled: failure.kind() == ApiErrorKind::Throttled,
            message: format!("{code}: {}", failure.message()),
        }));
    }
    let missing = |member| move || format!("missing member '{member}'");
    let shard = written.shard_id.ok_or_else(missing("ShardId"))?;
    let digits = written
        .sequence_number
        .ok_or_else(missing("SequenceNumber"))?;
    Ok(Ok(WrittenRecord {
        shard: ShardId::new(shard),
        sequence: SequenceNumber::new(&digits).map_err(|error| error.to_string())?,
    }))
}
