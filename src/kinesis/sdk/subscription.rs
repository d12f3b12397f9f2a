//! A subscription to a shard: frames of an event stream, decoded straight into columns.

mod frames;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use http_body_util::BodyExt;
use tokio::task::JoinHandle;

use self::frames::{Frame, Frames};
use super::body::{bad_answer, undecodable};
use super::connections::Lease;
use crate::aws::causes;
use crate::kinesis::buffer_pool::BufferPool;
use crate::kinesis::wire::{Format, Refusal, Undecodable};
use crate::kinesis::{
    ApiError, ApiResult, Operation, RecordColumns, Subscription, SubscriptionEvent,
};

const CALL: Operation = Operation::SubscribeToShard;

/// A subscription on a connection.
#[derive(Debug)]
pub(super) struct SdkSubscription {
    answer: HttpResponse,
    frames: Frames,
    columns: RecordColumns,
    pool: BufferPool,
    /// A large event that is being decoded beside the threads that do I/O.
    decoding: Option<JoinHandle<Result<SubscriptionEvent, Undecodable>>>,
    has_ended: bool,
    _lease: Lease,
}

impl SdkSubscription {
    /// The subscription that a server has accepted with `answer`.
    pub(super) fn new(
        answer: HttpResponse,
        columns: RecordColumns,
        pool: BufferPool,
        lease: Lease,
    ) -> Self {
        Self {
            answer,
            frames: Frames::new(pool.clone()),
            columns,
            pool,
            decoding: None,
            has_ended: false,
            _lease: lease,
        }
    }

    /// The next frame; `None` at the end of the stream.
    async fn frame(&mut self) -> ApiResult<Option<Frame>> {
        loop {
            let frame = self.frames.next();
            if let Some(frame) = frame.map_err(|error| undecodable(CALL, error))? {
                return Ok(Some(frame));
            }
            match self.answer.body_mut().frame().await {
                None if self.frames.is_inside_frame() => {
                    return Err(bad_answer(CALL, "the stream ends inside an event"));
                }
                None => return Ok(None),
                Some(Ok(part)) => {
                    if let Ok(chunk) = part.into_data() {
                        self.frames.push(chunk);
                    }
                }
                Some(Err(error)) => {
                    return Err(bad_answer(CALL, causes(&*error)).with_source(error));
                }
            }
        }
    }

    /// The next event; `None` at the end of the stream.
    async fn event(&mut self) -> ApiResult<Option<SubscriptionEvent>> {
        loop {
            if let Some(decoding) = &mut self.decoding {
                let decoded = decoding.await;
                self.decoding = None;
                let decoded = decoded.map_err(|error| undecodable(CALL, error.into()))?;
                return decoded.map(Some).map_err(|error| undecodable(CALL, error));
            }
            let Some(frame) = self.frame().await? else {
                return Ok(None);
            };
            let format = match kind_of(&frame)? {
                Kind::Event(format) => format,
                Kind::Other => continue,
            };
            let (columns, pool) = (self.columns, self.pool.clone());
            let is_large = frame.payload().len() > format.bytes_per_millisecond();
            let decode = move || {
                let event = format.subscription_event(frame.payload(), columns, &pool);
                frame.give_back(&pool);
                event
            };
            if is_large {
                self.decoding = Some(tokio::task::spawn_blocking(decode));
                continue;
            }
            return decode().map(Some).map_err(|error| undecodable(CALL, error));
        }
    }
}

#[async_trait]
impl Subscription for SdkSubscription {
    async fn next(&mut self) -> Option<ApiResult<SubscriptionEvent>> {
        if self.has_ended {
            return None;
        }
        let event = self.event().await.transpose();
        self.has_ended = !matches!(event, Some(Ok(_)));
        event
    }
}

/// What a frame is.
enum Kind {
    /// An event with records, with a payload in this format.
    Event(Format),
    /// The answer to the request, or an event of a kind that is not known yet.
    Other,
}

/// # Errors
/// It is an error.
fn kind_of(frame: &Frame) -> ApiResult<Kind> {
    let format = Format::of(frame.text(":content-type"));
    match frame.text(":message-type") {
        Some("event") if frame.text(":event-type") == Some("SubscribeToShardEvent") => {
            Ok(Kind::Event(format))
        }
        Some("event") => Ok(Kind::Other),
        Some("exception") => {
            let refusal = format.refusal(frame.payload());
            let refusal = refusal.map_err(|error| undecodable(CALL, error))?;
            let code = frame.text(":exception-type").map(Refusal::code);
            let code = code
                .or(refusal.code)
                .unwrap_or_else(|| "no code".to_owned());
            let message = refusal.message.unwrap_or_else(|| "no message".to_owned());
            Err(ApiError::from_code(CALL, &code, message))
        }
        Some("error") => {
            let code = frame.text(":error-code").unwrap_or("no code");
            let message = frame.text(":error-message").unwrap_or("no message");
            Err(ApiError::from_code(CALL, code, message))
        }
        other => {
            let message = format!("a message of an event stream has the type {other:?}");
            Err(bad_answer(CALL, message))
        }
    }
}

#[cfg(test)]
mod tests;
