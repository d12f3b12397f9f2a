//! A subscription to a shard: messages of an event stream, decoded straight into columns.

use async_trait::async_trait;
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::event_stream::Message;
use bytes::BytesMut;
use http_body_util::BodyExt;
use tokio::task::JoinHandle;

use super::body::{bad_answer, undecodable};
use super::connections::Lease;
use crate::aws::causes;
use crate::kinesis::buffer_pool::BufferPool;
use crate::kinesis::wire::{Format, Refusal, Undecodable};
use crate::kinesis::{
    ApiError, ApiResult, Operation, RecordColumns, Subscription, SubscriptionEvent,
};

const CALL: Operation = Operation::SubscribeToShard;

/// The largest message of an event stream (Amazon Event Stream specification, "Message": 16 MiB of payload and 128
/// KiB of headers).
const MAX_MESSAGE_BYTES: usize = (16 << 20) + (128 << 10) + 16;

/// A subscription on a connection.
#[derive(Debug)]
pub(super) struct SdkSubscription {
    answer: HttpResponse,
    frames: MessageFrameDecoder,
    unread: BytesMut,
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
            frames: MessageFrameDecoder::new(),
            unread: BytesMut::new(),
            columns,
            pool,
            decoding: None,
            has_ended: false,
            _lease: lease,
        }
    }

    /// The next message; `None` at the end of the stream.
    async fn message(&mut self) -> ApiResult<Option<Message>> {
        loop {
            let frame = self.frames.decode_frame(&mut self.unread);
            match frame.map_err(|error| undecodable(CALL, error.into()))? {
                DecodedFrame::Complete(message) => return Ok(Some(message)),
                DecodedFrame::Incomplete if self.unread.len() > MAX_MESSAGE_BYTES => {
                    let message = format!("an event has more than {MAX_MESSAGE_BYTES} bytes");
                    return Err(bad_answer(CALL, message));
                }
                DecodedFrame::Incomplete => {}
            }
            match self.answer.body_mut().frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.unread.extend_from_slice(&data);
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
            let Some(message) = self.message().await? else {
                return Ok(None);
            };
            let format = match kind_of(&message)? {
                Kind::Event(format) => format,
                Kind::Other => continue,
            };
            let (columns, pool) = (self.columns, self.pool.clone());
            let is_large = message.payload().len() > format.bytes_per_millisecond();
            let decode = move || format.subscription_event(message.payload(), columns, &pool);
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

/// What a message is.
enum Kind {
    /// An event with records, with a payload in this format.
    Event(Format),
    /// The answer to the request, or an event of a kind that is not known yet.
    Other,
}

/// # Errors
/// The message is an error.
fn kind_of(message: &Message) -> ApiResult<Kind> {
    let header = |name: &str| {
        let headers = message.headers().iter();
        let mut found = headers.filter(|header| header.name().as_str() == name);
        let value = found.next()?.value().as_string().ok()?;
        Some(value.as_str())
    };
    let format = Format::of(header(":content-type"));
    match header(":message-type") {
        Some("event") if header(":event-type") == Some("SubscribeToShardEvent") => {
            Ok(Kind::Event(format))
        }
        Some("event") => Ok(Kind::Other),
        Some("exception") => {
            let refusal = format.refusal(message.payload());
            let refusal = refusal.map_err(|error| undecodable(CALL, error))?;
            let code = header(":exception-type").map(Refusal::code);
            let code = code
                .or(refusal.code)
                .unwrap_or_else(|| "no code".to_owned());
            let message = refusal.message.unwrap_or_else(|| "no message".to_owned());
            Err(ApiError::from_code(CALL, &code, message))
        }
        Some("error") => {
            let code = header(":error-code").unwrap_or("no code");
            let message = header(":error-message").unwrap_or("no message");
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
