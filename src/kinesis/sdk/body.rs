//! Reads the bodies of answers into pooled memory.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use http_body_util::BodyExt;

use crate::aws::causes;
use crate::kinesis::buffer_pool::BufferPool;
use crate::kinesis::wire::{Format, Undecodable};
use crate::kinesis::{ApiError, ApiErrorKind, ApiResult, Operation};

/// The largest body that is read. The service sends at most 10 MiB of payload, as 14 MiB of base64, besides keys.
const MAX_BODY_BYTES: usize = 64 << 20;

/// A body, and its format.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

/// Reads the body of an answer.
///
/// # Errors
/// The connection breaks, or the body is too large.
pub(super) async fn collected(
    operation: Operation,
    answer: HttpResponse,
    pool: &BufferPool,
) -> ApiResult<Body> {
    let format = Format::of(answer.headers().get("content-type"));
    let length = answer.headers().get("content-length");
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut bytes = pool.take(length.min(MAX_BODY_BYTES));
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| bad_answer(operation, causes(&*error)).with_source(error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MAX_BODY_BYTES {
            let message = format!("the body has more than {MAX_BODY_BYTES} bytes");
            return Err(bad_answer(operation, message));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Body { format, bytes })
}

/// An answer that cannot be read. A retry may get a better one.
pub(super) fn bad_answer(operation: Operation, message: impl Into<String>) -> ApiError {
    ApiError::new(ApiErrorKind::Unavailable, operation, "BadResponse", message)
}

/// An answer that cannot be decoded.
pub(super) fn undecodable(operation: Operation, error: Undecodable) -> ApiError {
    bad_answer(operation, error.to_string()).with_source(error)
}
