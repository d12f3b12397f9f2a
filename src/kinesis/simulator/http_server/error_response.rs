//! How a request fails on the wire.

use hyper::StatusCode;
use serde_json::json;

use crate::kinesis::{ApiError, CONNECTION_LOST};

/// A request that is not answered with its result.
#[derive(Debug)]
pub(super) enum ErrorResponse {
    /// The service says why.
    Answered {
        status: StatusCode,
        code: String,
        message: String,
    },
    /// The connection is closed without a word.
    ConnectionLost,
}

impl ErrorResponse {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self::Answered {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// The body is not what the protocol expects.
    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "SerializationException", message)
    }

    /// A member is missing or not what it has to be.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationException", message)
    }

    /// Members do not go together, or do not name anything.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgumentException", message)
    }

    /// There is no such stream or shard.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        let code = "ResourceNotFoundException";
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A dry run of a call that would be taken.
    pub(super) fn dry_run() -> Self {
        let message = "The request would have succeeded, but the DryRun flag is set.";
        Self::new(StatusCode::BAD_REQUEST, "DryRunOperationException", message)
    }

    /// The operation is not one of Kinesis, or not one that is served here.
    pub(super) fn not_served(operation: &str) -> Self {
        Self::unknown_operation(format!(
            "{operation} is not an operation of Kinesis served here."
        ))
    }

    /// The request names no operation.
    pub(super) fn unknown_operation(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            message,
        )
    }
}

impl From<ApiError> for ErrorResponse {
    fn from(error: ApiError) -> Self {
        let status = match error.code() {
            CONNECTION_LOST => return Self::ConnectionLost,
            "InternalFailure" | "InternalFailureException" | "InternalServerError" => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            "ServiceUnavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.code(), error.message())
    }
}

/// The body of a failure.
pub(super) fn body_of(code: &str, message: &str) -> Vec<u8> {
    json!({ "__type": code, "message": message })
        .to_string()
        .into_bytes()
}
