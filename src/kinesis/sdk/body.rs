//! Gives the SDK the bodies of requests, and takes those of answers from it: it would have one struct per record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::BoxError;
use http_body_util::BodyExt;

use crate::aws::{ATTEMPT_TIMEOUT, causes};
use crate::kinesis::buffer_pool::BufferPool;
use crate::kinesis::wire::{Format, Refusal, Undecodable, cbor_refusal};
use crate::kinesis::{ApiError, ApiErrorKind, ApiResult, Operation};

/// The largest body that is read. The service sends at most 10 MiB of payload, as 14 MiB of base64, besides keys.
const MAX_BODY_BYTES: usize = 64 << 20;

/// An interceptor of one request.
#[derive(Debug, Clone)]
pub(super) struct Bodies(Arc<Mutex<Exchanged>>);

#[derive(Debug)]
struct Exchanged {
    /// The body to send instead of that of the SDK.
    request: Option<(Format, Vec<u8>)>,
    /// The answer, if the SDK gets an empty one instead: a success, or a refusal in CBOR, which it does not know.
    answer: Option<HttpResponse>,
}

/// A body, and its format.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

impl Bodies {
    /// Sends `request` instead of the body of the SDK.
    pub(super) fn sending(format: Format, request: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Exchanged {
            request: Some((format, request)),
            answer: None,
        })))
    }

    fn exchanged(&self) -> MutexGuard<'_, Exchanged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body of the answer, in memory of `pool`.
    ///
    /// # Errors
    /// The connection breaks, the body is too late or too large, or the SDK has the answer.
    pub(super) async fn answer(&self, operation: Operation, pool: &BufferPool) -> ApiResult<Body> {
        let answer = self.exchanged().answer.take();
        let answer = answer.ok_or_else(|| bad_answer(operation, "there is no answer"))?;
        let read = tokio::time::timeout(ATTEMPT_TIMEOUT, collected(operation, answer, pool));
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

    /// The refusal in the answer; `None` if the SDK has the answer.
    ///
    /// # Errors
    /// The answer cannot be read.
    pub(super) async fn refusal(&self, operation: Operation) -> ApiResult<Option<Refusal>> {
        if self.exchanged().answer.is_none() {
            return Ok(None);
        }
        let body = self.answer(operation, &BufferPool::default()).await?;
        let refusal = cbor_refusal(&body.bytes);
        refusal
            .map(Some)
            .map_err(|error| undecodable(operation, error))
    }
}

impl Intercept for Bodies {
    fn name(&self) -> &'static str {
        "Bodies"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some((format, body)) = self.exchanged().request.take() {
            let request = context.request_mut();
            let (headers, length) = (request.headers_mut(), body.len().to_string());
            headers.insert("content-length", length);
            headers.insert("content-type", format.content_type());
            *request.body_mut() = body.into();
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response_mut();
        let format = Format::of(answer.headers().get("content-type"));
        let is_success = answer.status().as_u16() == 200;
        if is_success || format == Format::Cbor {
            let rest = match is_success {
                true => "{}",
                // Without a code, the SDK reports an unreadable answer instead of a refusal.
                false => "{\"__type\":\"Unread\"}",
            };
            let body = std::mem::replace(answer.body_mut(), rest.into());
            let mut taken = HttpResponse::new(answer.status(), body);
            for name in ["content-length", "content-type"] {
                if let Some(value) = answer.headers().get(name) {
                    taken.headers_mut().insert(name, value.to_owned());
                }
            }
            self.exchanged().answer = Some(taken);
        }
        Ok(())
    }
}

async fn collected(
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
