//! What a request for a schema gives.

use std::fmt;

use crate::aws::RequestFailure;
use crate::error::{Error, ErrorKind};
use crate::kinesis::RequestError;

/// The schema of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegisteredSchema {
    pub(crate) text: String,
    /// The schemas whose types it uses. Each can use those before it.
    pub(crate) references: Vec<String>,
}

/// Why a lookup gave no schema.
#[derive(Debug)]
pub(super) enum LookupFailure {
    /// The registry has no Avro schema with this id, so documents that name it cannot be decoded.
    NoSchema(String),
    /// The request failed.
    Failed(FailedRequest),
}

/// A failed request.
#[derive(Debug)]
pub(super) struct FailedRequest {
    is_retryable: bool,
    error: Error,
}

impl LookupFailure {
    /// A request that may succeed if it is sent again.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::Failed(FailedRequest {
            is_retryable: true,
            error: Error::new(ErrorKind::Unavailable, message),
        })
    }

    /// A request that would fail in the same way again.
    pub(super) fn permanent(error: Error) -> Self {
        Self::Failed(FailedRequest {
            is_retryable: false,
            error,
        })
    }
}

impl fmt::Display for FailedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl RequestError for FailedRequest {
    fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    fn into_error(self, context: impl fmt::Display) -> Error {
        self.error.in_context(context)
    }
}

/// A failure without an answer.
impl From<RequestFailure> for LookupFailure {
    fn from(failure: RequestFailure) -> Self {
        let kind = match (failure.is_permanent, failure.lacks_credentials) {
            (false, _) => ErrorKind::Unavailable,
            (true, true) => ErrorKind::AccessDenied,
            (true, false) => ErrorKind::InvalidOption,
        };
        Self::Failed(FailedRequest {
            is_retryable: !failure.is_permanent,
            error: Error::new(kind, failure.to_string()).with_source(failure),
        })
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
