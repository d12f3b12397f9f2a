//! What a request for a schema gives.

use crate::aws::RequestFailure;
use crate::error::{Error, ErrorKind};

/// The schema of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegisteredSchema {
    pub(crate) text: String,
    /// The schemas whose types it uses. Each can use those before it.
    pub(crate) references: Vec<String>,
}

/// Why a request gave no schema.
#[derive(Debug)]
pub(super) enum LookupFailure {
    /// The registry has no Avro schema with this id, so documents that name it cannot be decoded.
    NoSchema(String),
    /// A retry may succeed.
    Unavailable(Error),
    /// A retry would fail in the same way.
    Permanent(Error),
}

/// A failure without an answer.
impl From<RequestFailure> for LookupFailure {
    fn from(failure: RequestFailure) -> Self {
        let kind = match (failure.is_permanent, failure.lacks_credentials) {
            (false, _) => ErrorKind::Unavailable,
            (true, true) => ErrorKind::AccessDenied,
            (true, false) => ErrorKind::InvalidOption,
        };
        let is_permanent = failure.is_permanent;
        let error = Error::new(kind, failure.to_string()).with_source(failure);
        match is_permanent {
            true => Self::Permanent(error),
            false => Self::Unavailable(error),
        }
    }
}

/// The beginning of an answer, for a message.
pub(super) fn excerpt(body: &[u8]) -> String {
    const SHOWN_CHARS: usize = 200;
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
