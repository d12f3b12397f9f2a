//! Error responses of the HTTP server.

use hyper::StatusCode;
use serde_json::json;

use crate::kinesis::{ApiError, CONNECTION_LOST};

/// A failed request.
#[derive(Debug)]
pub(super) enum ErrorResponse {
    /// A response with an error code and message.
    Response {
        status: StatusCode,
        code: String,
        message: String,
    },
    /// The connection is closed without a response.
    ConnectionLost,
}

impl ErrorResponse {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self::Response {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// The body violates the protocol.
    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "SerializationException", message)
    }

    /// A member is missing or invalid.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationException", message)
    }

    /// Members contradict each other or refer to nothing.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgumentException", message)
    }

    /// The stream or shard does not exist.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        let code = "ResourceNotFoundException";
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// The result of a successful dry run.
    pub(super) fn dry_run() -> Self {
        let message = "The request would have succeeded, but the DryRun flag is set.";
        Self::new(StatusCode::BAD_REQUEST, "DryRunOperationException", message)
    }

    /// The operation is not supported.
    pub(super) fn unsupported_operation(operation: &str) -> Self {
        Self::unknown_operation(format!(
            "{operation} is not a Kinesis operation that this server supports."
        ))
    }

    /// The request does not name a known operation.
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

/// The body of an error response.
pub(super) fn body_of(code: &str, message: &str) -> Vec<u8> {
    json!({ "__type": code, "message": message })
        .to_string()
        .into_bytes()
}
