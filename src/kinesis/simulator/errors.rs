//! Constructors for errors with the service's codes.

use crate::kinesis::{ApiError, Operation};

/// An error with one of the service's codes.
pub(super) fn error(operation: Operation, code: &str, message: impl Into<String>) -> ApiError {
    ApiError::from_code(operation, code, message)
}

/// `InvalidArgumentException`.
pub(super) fn invalid(operation: Operation, message: impl Into<String>) -> ApiError {
    error(operation, "InvalidArgumentException", message)
}
