//! Takes the bodies of answers from the SDK, which would decode them to one struct per record.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::BoxError;
use http_body_util::BodyExt;

use crate::aws::{ATTEMPT_TIMEOUT, causes};
use crate::kinesis::{ApiError, ApiErrorKind, ApiResult, Operation};

/// The largest body that is read. The service sends at most 10 MiB of payload, as 14 MiB of base64, besides keys.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Keeps the answer of a request if it is a success, and leaves an empty one to the SDK. Refusals stay with the SDK.
#[derive(Debug, Clone, Default)]
pub(super) struct TakeBody(Arc<Mutex<Option<HttpResponse>>>);

impl TakeBody {
    /// The body of the answer.
    ///
    /// # Errors
    /// The connection breaks, the body is too late or too large, or there was no answer.
    pub(super) async fn read(self, operation: Operation) -> ApiResult<Vec<u8>> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(answer) = taken else {
            return Err(bad_answer(operation, "there is no answer"));
        };
        let read = tokio::time::timeout(ATTEMPT_TIMEOUT, collected(operation, answer));
        read.await.unwrap_or_else(|_| {
            let message = format!("the body took more than {} s", ATTEMPT_TIMEOUT.as_secs());
            Err(ApiError::new(
                ApiErrorKind::Unavailable,
                operation,
                "Timeout",
                message,
            ))
        })
    }
}

impl Intercept for TakeBody {
    fn name(&self) -> &'static str {
        "TakeBody"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response_mut();
        if answer.status().is_success() {
            let body = std::mem::replace(answer.body_mut(), "{}".into());
            let mut taken = HttpResponse::new(answer.status(), body);
            if let Some(length) = answer.headers().get("content-length") {
                taken
                    .headers_mut()
                    .insert("content-length", length.to_owned());
            }
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        }
        Ok(())
    }
}

async fn collected(operation: Operation, answer: HttpResponse) -> ApiResult<Vec<u8>> {
    let length = answer.headers().get("content-length");
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(length.min(MAX_BODY_BYTES));
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
    Ok(bytes)
}

/// An answer that cannot be read. A retry may get a better one.
pub(super) fn bad_answer(operation: Operation, message: impl Into<String>) -> ApiError {
    ApiError::new(ApiErrorKind::Unavailable, operation, "BadResponse", message)
}

/// An answer that cannot be decoded.
pub(super) fn undecodable(
    operation: Operation,
    error: impl StdError + Send + Sync + 'static,
) -> ApiError {
    bad_answer(operation, error.to_string()).with_source(error)
}
