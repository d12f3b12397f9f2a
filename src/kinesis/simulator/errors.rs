//! Short words for the two errors that need nothing but words.

use crate::kinesis::{ApiError, Operation};

/// A failure with a code of the service.
pub(super) fn error(operation: Operation, code: &str, message: impl Into<String>) -> ApiError {
    ApiError::from_code(operation, code, message)
}

/// `InvalidArgumentException`.
pub(super) fn invalid(operation: Operation, message: impl Into<String>) -> ApiError {
    error(operation, "InvalidArgumentException", message)
}
