//! Reads HTTP requests, calls the operation, and writes HTTP responses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::timeout;

use super::body::{Body, ConnectionLost, complete};
use super::cbor;
use super::error_response::{ErrorResponse, body_of};
use super::event_stream::{EVENT_STREAM, growing};
use super::handlers::{self, consumers, records};
use super::request::api_model::members_of;
use super::request::{ApiRequest, Members};
use crate::kinesis::simulator::operations::shard_subscription::ShardSubscription;
use crate::kinesis::{InMemoryKinesis, Kinesis};
use crate::model::is_region;

/// The largest accepted body: 10 MiB of records in base64, plus framing.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// How much of a larger body is still read, so that the client can read the error response.
const MAX_DRAINED_BYTES: usize = 4 * MAX_BODY_BYTES;

/// How long the next part of a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const CBOR: HeaderValue = HeaderValue::from_static("application/x-amz-cbor-1.1");

/// Handles one request. Fails only if the connection must break.
pub(super) async fn respond(
    kinesis: &InMemoryKinesis,
    request: Request<Incoming>,
    stopped: watch::Receiver<bool>,
) -> Result<Response<Body>, ConnectionLost> {
    let (head, body) = request.into_parts();
    let content_type = text_of(&head.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let is_cbor = content_type.starts_with("application/x-amz-cbor");
    let body = match read_body(body).await {
        Ok(body) if is_cbor => cbor::to_json(&body).map_err(ErrorResponse::serialization),
        body => body,
    };
    let answer = match body {
        Ok(body) => answer(kinesis, &head, &body).await,
        Err(failure) => Err(failure),
    };
    let (status, body) = match answer {
        Ok(Answer::Body(body)) => (StatusCode::OK, body),
        Ok(Answer::Events(subscription)) => {
            let mut response = Response::new(growing(subscription, is_cbor, stopped));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, EVENT_STREAM);
            headers.insert("x-amzn-requestid", request_id());
            return Ok(response);
        }
        Err(ErrorResponse::ConnectionLost) => return Err(ConnectionLost),
        Err(ErrorResponse::Response {
            status,
            code,
            message,
        }) => (status, body_of(&code, &message)),
    };
    tracing::trace!(%status, target = ?head.headers.get("x-amz-target"), "request handled");
    let (content_type, body) = match is_cbor {
        true => (CBOR, cbor::from_json(&body)),
        false => (JSON, body),
    };
    let mut response = Response::new(complete(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert("x-amzn-requestid", request_id());
    Ok(response)
}

/// What a request is answered with.
enum Answer {
    Body(Vec<u8>),
    Events(ShardSubscription),
}

/// The operations that support `DryRun` (API reference), apart from SubscribeToShard.
const WITH_DRY_RUN: [&str; 4] = ["GetRecords", "GetShardIterator", "PutRecord", "PutRecords"];

async fn answer(
    kinesis: &InMemoryKinesis,
    head: &Parts,
    body: &[u8],
) -> Result<Answer, ErrorResponse> {
    let operation = operation_of(head)?;
    let Some(members) = members_of(operation) else {
        return Err(ErrorResponse::unsupported_operation(operation));
    };
    let caller = Caller::of(&head.headers);
    let request = ApiRequest {
        members: Members::parse(body, members)?,
        account_region: kinesis.account_region_of(caller.account, caller.region),
    };
    if WITH_DRY_RUN.contains(&operation) && request.members.switch("DryRun")? {
        if let Some(stream) = request.stream_if_named()? {
            kinesis.describe_stream(&stream).await?;
        }
        return Err(ErrorResponse::dry_run());
    }
    let body = match operation {
        "GetRecords" => records::get_records(kinesis, &request).await?,
        "PutRecord" => records::put_record(kinesis, request).await?,
        "PutRecords" => records::put_records(kinesis, request).await?,
        "SubscribeToShard" => {
            let subscription = consumers::subscribe(kinesis, &request).await?;
            return Ok(Answer::Events(subscription));
        }
        _ => handlers::answer(kinesis, operation, &request).await?,
    };
    Ok(Answer::Body(body))
}

/// The caller, from the signature:
/// `Credential=<access key id>/<date>/<region>/kinesis/aws4_request`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Caller<'a> {
    /// An access key id of twelve digits, which no real one has, is used as the account.
    account: Option<&'a str>,
    region: Option<&'a str>,
}

impl<'a> Caller<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let signature = text_of(headers, AUTHORIZATION.as_str()).unwrap_or_default();
        let credential = signature.split_once("Credential=").map(|(_, rest)| rest);
        let mut scope = credential.unwrap_or_default().split(['/', ',', ' ']);
        let (key, region) = (scope.next(), scope.nth(1));
        let is_account = |key: &&str| key.len() == 12 && key.bytes().all(|b| b.is_ascii_digit());
        Self {
            account: key.filter(is_account),
            region: region.filter(|region| is_region(region)),
        }
    }
}

fn operation_of(head: &Parts) -> Result<&str, ErrorResponse> {
    if head.method != Method::POST {
        let message = format!(
            "Method {} is not supported; the protocol uses POST.",
            head.method
        );
        return Err(ErrorResponse::unknown_operation(message));
    }
    text_of(&head.headers, "x-amz-target")
        .and_then(|target| target.strip_prefix("Kinesis_20131202."))
        .ok_or_else(|| {
            ErrorResponse::unknown_operation("X-Amz-Target does not name a Kinesis operation.")
        })
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

async fn next_frame(
    body: &mut Incoming,
) -> Result<Option<Result<Frame<Bytes>, hyper::Error>>, ErrorResponse> {
    timeout(BODY_TIMEOUT, body.frame()).await.map_err(|_| {
        let seconds = BODY_TIMEOUT.as_secs();
        let message = format!("No more of the request body arrived within {seconds} seconds.");
        ErrorResponse::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeoutException",
            message,
        )
    })
}

async fn read_body(mut body: Incoming) -> Result<Vec<u8>, ErrorResponse> {
    let mut read = Vec::new();
    let mut total = 0;
    while let Some(frame) = next_frame(&mut body).await? {
        let frame = frame.map_err(|_| ErrorResponse::ConnectionLost)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        total += data.len();
        if total <= MAX_BODY_BYTES {
            read.extend_from_slice(data);
        } else if total > MAX_DRAINED_BYTES {
            break;
        }
    }
    if total <= MAX_BODY_BYTES {
        return Ok(read);
    }
    let message = format!("The request body is larger than {MAX_BODY_BYTES} bytes.");
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    Err(ErrorResponse::new(
        status,
        "SerializationException",
        message,
    ))
}

/// A sequential request id in the form of a UUID.
fn request_id() -> HeaderValue {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let id = format!("00000000-0000-4000-8000-{number:012x}");
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("0"))
}
