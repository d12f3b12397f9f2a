use std::sync::Arc;
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http_body_util::{Full, StreamBody};

use super::*;
use crate::kinesis::ApiErrorKind;

const EVENT: &str = concat!(
    r#"{"ContinuationSequenceNumber":"19","MillisBehindLatest":40,"Records":["#,
    r#"{"ApproximateArrivalTimestamp":1.721946460247E9,"Data":"aGVsbG8=","PartitionKey":"k","SequenceNumber":"17"}]}"#
);

fn message(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut message = Message::new(payload.as_bytes().to_vec());
    for (name, value) in headers {
        let value = HeaderValue::String((*value).to_owned().into());
        message = message.add_header(Header::new((*name).to_owned(), value));
    }
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn event(payload: &str) -> Vec<u8> {
    message(
        &[
            (":message-type", "event"),
            (":event-type", "SubscribeToShardEvent"),
            (":content-type", "application/x-amz-json-1.1"),
        ],
        payload,
    )
}

fn accepted() -> Vec<u8> {
    message(
        &[
            (":message-type", "event"),
            (":event-type", "initial-response"),
            (":content-type", "application/x-amz-json-1.1"),
        ],
        "{}",
    )
}

/// A subscription to a server that sends `bytes` in pieces of `size`.
fn sending(bytes: &[u8], size: usize) -> SdkSubscription {
    let pieces: Vec<_> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
    let frames = stream::iter(pieces);
    let frames = frames.then(async |piece| Full::new(piece).frame().await.unwrap());
    let body = SdkBody::from_body_1_x(StreamBody::new(Box::pin(frames)));
    let status = 200.try_into().unwrap();
    let answer = HttpResponse::new(status, body);
    let lease = Lease::new(&Arc::new(()));
    SdkSubscription::new(answer, RecordColumns::ALL, BufferPool::default(), lease)
}

#[tokio::test]
async fn events_are_decoded_into_columns_however_they_are_cut() {
    let ended = r#"{"ChildShards":[{"HashKeyRange":{"EndingHashKey":"9","StartingHashKey":"0"},
        "ParentShards":["shardId-000000000000"],"ShardId":"shardId-000000000001"}],
        "ContinuationSequenceNumber":null,"MillisBehindLatest":0,"Records":[]}"#;
    let unknown = message(
        &[(":message-type", "event"), (":event-type", "News")],
        "what?",
    );
    let bytes = [accepted(), event(EVENT), unknown, event(ended)].concat();
    for size in [1, 7, 12, 16, 100, bytes.len()] {
        let mut subscription = sending(&bytes, size);
        let first = subscription.next().await.unwrap().unwrap();
        assert_eq!(first.page.data().value(0), b"hello");
        assert_eq!(first.page.last_sequence().unwrap().as_str(), "17");
        assert_eq!(first.page.behind_latest, Some(Duration::from_millis(40)));
        assert_eq!(first.continuation.unwrap().as_str(), "19");
        let last = subscription.next().await.unwrap().unwrap();
        assert!(last.page.is_empty() && last.continuation.is_none());
        assert_eq!(last.page.children[0].id.as_str(), "shardId-000000000001");
        assert!(subscription.next().await.is_none());
        assert!(subscription.next().await.is_none());
    }
}

#[tokio::test]
async fn large_events_are_decoded_too() {
    let data = "QUJD".repeat(600_000);
    let payload = format!(
        r#"{{"Records":[{{"Data":"{data}","SequenceNumber":"17"}}],"ContinuationSequenceNumber":"17"}}"#
    );
    let mut subscription = sending(&event(&payload), 1 << 16);
    let event = subscription.next().await.unwrap().unwrap();
    assert_eq!(event.page.data().value(0).len(), 1_800_000);
    assert!(subscription.next().await.is_none());
}

#[tokio::test]
async fn errors_in_the_stream_end_it_and_keep_their_code() {
    let json = (":content-type", "application/x-amz-json-1.1");
    let exception = message(
        &[
            (":message-type", "exception"),
            (":exception-type", "ResourceInUseException"),
            json,
        ],
        r#"{"message":"another one"}"#,
    );
    let failure = message(
        &[
            (":message-type", "error"),
            (":error-code", "InternalFailureException"),
            (":error-message", "oh"),
        ],
        "",
    );
    for (bytes, kind, code, text) in [
        (
            exception,
            ApiErrorKind::ResourceInUse,
            "ResourceInUseException",
            "another one",
        ),
        (
            failure,
            ApiErrorKind::Unavailable,
            "InternalFailureException",
            "oh",
        ),
    ] {
        let bytes = [accepted(), event(EVENT), bytes, event(EVENT)].concat();
        let mut subscription = sending(&bytes, 50);
        subscription.next().await.unwrap().unwrap();
        let error = subscription.next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, code));
        assert_eq!(error.message(), text);
        assert!(subscription.next().await.is_none());
    }
}

#[tokio::test]
async fn a_damaged_event_is_an_error_and_never_a_page() {
    let whole = event(EVENT);
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        let error = sending(&damaged, 1_000).next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ApiErrorKind::Unavailable, "{position}");
        let mut ended = sending(&whole[..position], 1_000);
        let Some(event) = ended.next().await else {
            assert_eq!(position, 0);
            continue;
        };
        assert_eq!(
            event.unwrap_err().message(),
            "the stream ends inside an event"
        );
    }
    for payload in [
        "",
        "{}",
        r#"{"Records":[],"ContinuationSequenceNumber":""}"#,
    ] {
        let error = sending(&event(payload), 1_000).next().await.unwrap();
        assert_eq!(error.unwrap_err().code(), "BadResponse", "{payload}");
    }
}
