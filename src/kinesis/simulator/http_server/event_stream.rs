//! Answers of SubscribeToShard: frames in the format `application/vnd.amazon.eventstream`.

use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::HeaderValue as HttpHeaderValue;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::body::{Body, ConnectionLost};
use super::cbor;
use super::handlers::records::JsonPage;
use crate::kinesis::simulator::operations::shard_subscription::{EventEnd, ShardSubscription};
use crate::kinesis::{ApiError, ApiResult, CONNECTION_LOST};

pub(super) const EVENT_STREAM: HttpHeaderValue =
    HttpHeaderValue::from_static("application/vnd.amazon.eventstream");

/// How long what was sent has to reach the client before a fault breaks the connection, which discards the rest.
const FLUSH_TIME: Duration = Duration::from_millis(20);

/// The errors that the API model has as events. Others are unmodeled errors.
const EXCEPTIONS: [&str; 9] = [
    "InternalFailureException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "KMSThrottlingException",
    "ResourceInUseException",
    "ResourceNotFoundException",
];

/// A body that grows with the events of a subscription, until that ends or the server stops. The client gets each event
/// at once; the next one is made when the client has room for it.
pub(super) fn growing(
    subscription: ShardSubscription,
    is_cbor: bool,
    stopped: watch::Receiver<bool>,
) -> Body {
    let events = Events {
        subscription,
        is_cbor,
        stopped,
        next: Next::InitialResponse,
    };
    let frames = stream::unfold(events, |mut events| async move {
        let frame = events.next_frame().await?;
        Some((frame.map(Frame::data), events))
    });
    StreamBody::new(frames).boxed_unsync()
}

struct Events {
    subscription: ShardSubscription,
    /// Whether payloads are CBOR, which clients expect that sent it.
    is_cbor: bool,
    stopped: watch::Receiver<bool>,
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    InitialResponse,
    Event,
    BrokenConnection,
    Nothing,
}

impl Events {
    async fn next_frame(&mut self) -> Option<Result<Bytes, ConnectionLost>> {
        let frame = match self.next {
            Next::InitialResponse => {
                self.next = Next::Event;
                self.event_frame("initial-response", b"{}")
            }
            Next::Event => {
                let (event, frame) = self.event().await?;
                self.pushed(event, frame)
            }
            Next::BrokenConnection => {
                self.next = Next::Nothing;
                sleep(FLUSH_TIME).await;
                return Some(Err(ConnectionLost));
            }
            Next::Nothing => return None,
        };
        Some(Ok(frame))
    }

    async fn event(&mut self) -> Option<(ApiResult<EventEnd>, JsonPage)> {
        let mut page = JsonPage::default();
        let event = tokio::select! {
            event = self.subscription.next_into(&mut page) => event?,
            _ = self.stopped.changed() => return None,
        };
        Some((event, page))
    }

    /// The frame of an event or error. A broken connection ends in the middle of one.
    fn pushed(&mut self, event: ApiResult<EventEnd>, page: JsonPage) -> Bytes {
        match event {
            Ok(end) => {
                let continuation = end.continuation.as_ref().map(|number| number.as_str());
                let name = "ContinuationSequenceNumber";
                let payload = page.finish(name, continuation, end.behind_latest, &end.children);
                self.event_frame("SubscribeToShardEvent", &payload)
            }
            Err(error) if error.code() == CONNECTION_LOST => {
                self.next = Next::BrokenConnection;
                let mut frame = self.event_frame("SubscribeToShardEvent", b"{}");
                frame.truncate(frame.len() / 2);
                frame
            }
            Err(error) => {
                self.next = Next::Nothing;
                self.error_frame(&error)
            }
        }
    }

    fn event_frame(&self, kind: &'static str, payload: &[u8]) -> Bytes {
        let headers = [(":message-type", "event"), (":event-type", kind)];
        self.frame(headers, Some(payload))
    }

    fn error_frame(&self, error: &ApiError) -> Bytes {
        let payload = json!({ "message": error.message() }).to_string();
        match EXCEPTIONS.into_iter().find(|code| *code == error.code()) {
            Some(code) => {
                let headers = [(":message-type", "exception"), (":exception-type", code)];
                self.frame(headers, Some(payload.as_bytes()))
            }
            None => {
                let headers = [
                    (":message-type", "error"),
                    (":error-code", error.code()),
                    (":error-message", error.message()),
                ];
                self.frame(headers, None)
            }
        }
    }

    fn frame<const N: usize>(
        &self,
        headers: [(&'static str, &str); N],
        json: Option<&[u8]>,
    ) -> Bytes {
        let (content_type, payload) = match (json, self.is_cbor) {
            (None, _) => (None, Vec::new()),
            (Some(json), true) => (Some("application/x-amz-cbor-1.1"), cbor::from_json(json)),
            (Some(json), false) => (Some("application/x-amz-json-1.1"), json.to_vec()),
        };
        let size = payload.len() + 512;
        let mut message = Message::new(payload);
        let content_type = content_type.map(|text| (":content-type", text));
        for (name, text) in headers.into_iter().chain(content_type) {
            message = message.add_header(Header::new(
                name,
                HeaderValue::String(text.to_owned().into()),
            ));
        }
        let mut frame = Vec::with_capacity(size);
        write_message_to(&message, &mut frame)
            .expect("the headers are short, and an event has less than 4 GiB");
        frame.into()
    }
}
