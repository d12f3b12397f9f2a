//! Sends GetRecords, PutRecords and SubscribeToShard with bodies of our own.
//!
//! The clients of the SDK would have one struct per record, and spend more CPU on a call than the connection does.
//! This uses the parts of the SDK that matter for a call: its credentials, endpoint rules, signatures and connections.

use std::sync::Arc;

use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};

use super::body::{Body, bad_answer, collected, undecodable};
use super::classify::{
    ClassifiedError, RefusedRequest, advised, classify_refused, missing_credentials, unreached,
};
use super::connections::{SubscriptionConnectors, connecting_one_by_one};
use super::endpoints::{DataEndpoints, NamedArn};
use super::subscription::SdkSubscription;
use crate::aws::{
    ATTEMPT_TIMEOUT, ClientConfig, Identity, ServiceClock, SignatureScope, UnsignedRequest, causes,
    signature,
};
use crate::kinesis::buffer_pool::BufferPool;
use crate::kinesis::wire::{Format, Refusal};
use crate::kinesis::{ApiError, ApiErrorKind, Operation, RecordColumns};
use crate::model::{Clock, ConsumerArn, StreamIdentity, UnixMillis};

/// Sends requests about the records of streams.
#[derive(Debug)]
pub(super) struct DataPlane {
    connector: SharedHttpConnector,
    subscriptions: SubscriptionConnectors,
    identity: Identity,
    region: String,
    endpoints: DataEndpoints,
    user_agent: String,
    clock: Arc<ServiceClock>,
}

/// A call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) stream: &'a StreamIdentity,
    /// The consumer of a subscription, by whose ARN the service is found then.
    pub(super) consumer: Option<&'a ConsumerArn>,
    pub(super) format: Format,
}

/// A failed call.
#[derive(Debug)]
pub(super) struct FailedCall {
    /// The status of the answer, if there is one.
    pub(super) status: Option<u16>,
    pub(super) error: ApiError,
}

impl From<ApiError> for FailedCall {
    fn from(error: ApiError) -> Self {
        Self {
            status: None,
            error,
        }
    }
}

impl DataPlane {
    /// Sends requests with this configuration to the endpoint of the region, or to `endpoint`.
    pub(super) fn new(
        config: &ClientConfig,
        region: &str,
        endpoint: Option<&str>,
        clock: Arc<ServiceClock>,
    ) -> Self {
        let mut user_agent = concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION"),
            " lang/rust"
        )
        .to_owned();
        if let Some(name) = config.sdk.app_name() {
            user_agent.push_str(" app/");
            user_agent.push_str(name.as_ref());
        }
        Self {
            connector: connecting_one_by_one(config.connector.clone()),
            subscriptions: SubscriptionConnectors::new(config.clone()),
            identity: config.identity.clone(),
            region: region.to_owned(),
            endpoints: DataEndpoints::new(&config.sdk, region, endpoint),
            user_agent,
            clock,
        }
    }

    /// Sends a request with `body`, and reads the answer into memory of `pool`.
    ///
    /// # Errors
    /// There are no credentials, the request cannot be sent, the answer is too late or too large, or it is a refusal.
    pub(super) async fn send(
        &self,
        call: Call<'_>,
        body: Vec<u8>,
        pool: &BufferPool,
    ) -> Result<Body, FailedCall> {
        let sent = async {
            let answer = self.accepted(&self.connector, call, body).await?;
            Ok(collected(call.operation, answer, pool).await?)
        };
        let sent = tokio::time::timeout(ATTEMPT_TIMEOUT, sent).await;
        sent.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs());
            let kind = ApiErrorKind::Unavailable;
            Err(ApiError::new(kind, call.operation, "Timeout", message).into())
        })
    }

    /// Sends a request whose answer is a stream of events, and waits until the service accepts it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(super) async fn subscribe(
        &self,
        call: Call<'_>,
        body: Vec<u8>,
        columns: RecordColumns,
        pool: &BufferPool,
    ) -> Result<SdkSubscription, ApiError> {
        let (connector, lease) = self.subscriptions.lease();
        let accepted = self.accepted(&connector, call, body).await;
        let answer = accepted.map_err(|failed| failed.error)?;
        Ok(SdkSubscription::new(answer, columns, pool.clone(), lease))
    }

    /// The answer to a request, with its body unread.
    async fn accepted(
        &self,
        connector: &SharedHttpConnector,
        call: Call<'_>,
        body: Vec<u8>,
    ) -> Result<HttpResponse, FailedCall> {
        let Call { operation, .. } = call;
        let failed = |failure: ClassifiedError| advised(operation, Some(call.stream), failure);
        let signed_at = self.clock.now();
        let (url, mut request) = self.request(call, body, signed_at).await?;
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let answer = connector.call(request).await;
        let answer = answer.map_err(|error| {
            // It may be dead. Over HTTP/2, requests would go to it for as long as others keep it from being idle.
            if let Some(connection) = connection.get() {
                connection.poison();
            }
            failed(unreached(&url, &error)).with_source(error)
        })?;
        let status = answer.status().as_u16();
        if status == 200 {
            return Ok(answer);
        }
        if status < 400 {
            return Err(bad_answer(operation, format!("unexpected HTTP status {status}")).into());
        }
        if status >= 500
            && let Some(connection) = connection.get()
        {
            // The next request may reach another host.
            connection.poison();
        }
        let error = self.refusal(call, answer, signed_at).await;
        Err(FailedCall {
            status: Some(status),
            error,
        })
    }

    /// The request of a call, and its URL.
    async fn request(
        &self,
        call: Call<'_>,
        body: Vec<u8>,
        signed_at: UnixMillis,
    ) -> Result<(Arc<str>, HttpRequest), ApiError> {
        let Call {
            operation,
            stream,
            consumer,
            format,
        } = call;
        let credentials = self.identity.credentials().await;
        let credentials = credentials
            .map_err(|failure| advised(operation, Some(stream), missing_credentials(&failure)))?;
        let unbuildable =
            |why: String| ApiError::new(ApiErrorKind::Other, operation, "ConstructionFailure", why);
        let account_id = credentials.account_id().map(|id| id.as_str());
        let arn = match consumer {
            Some(consumer) => Some(NamedArn::Consumer(consumer.as_str())),
            None => stream.arn().map(NamedArn::Stream),
        };
        let url = self.endpoints.url(arn, account_id).await;
        let url = url.map_err(unbuildable)?;
        let target = format!("Kinesis_20131202.{operation}");
        let headers = [
            ("content-type", format.content_type()),
            ("x-amz-target", &target),
        ];
        let unsigned = UnsignedRequest {
            method: "POST",
            url: &url,
            headers: &headers,
            body: &body,
        };
        let scope = SignatureScope {
            service: "kinesis",
            region: &self.region,
            time: signed_at,
        };
        let signature = signature(credentials, scope, &unsigned).map_err(unbuildable)?;
        let length = body.len().to_string();
        let mut request = HttpRequest::new(body.into());
        let made = request.set_method("POST");
        made.map_err(|error| unbuildable(causes(&error)))?;
        let made = request.set_uri(&*url);
        made.map_err(|error| unbuildable(causes(&error)))?;
        let given = [
            ("content-length", length),
            ("user-agent", self.user_agent.clone()),
        ];
        let given = given.into_iter().chain(signature);
        let headers = headers.map(|(name, value)| (name, value.to_owned()));
        for (name, value) in headers.into_iter().chain(given) {
            let inserted = request.headers_mut().try_insert(name, value);
            inserted.map_err(|error| unbuildable(causes(&error)))?;
        }
        Ok((url, request))
    }

    /// The error in an answer.
    async fn refusal(
        &self,
        call: Call<'_>,
        answer: HttpResponse,
        signed_at: UnixMillis,
    ) -> ApiError {
        let Call { operation, .. } = call;
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).map(str::to_owned);
        let request_id = header("x-amzn-requestid").or_else(|| header("x-amz-request-id"));
        let (date, code) = (header("date"), header("x-amzn-errortype"));
        let body = match collected(operation, answer, &BufferPool::default()).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let refusal = match body.format.refusal(&body.bytes) {
            Ok(refusal) => refusal,
            Err(error) => return undecodable(operation, error),
        };
        if let Some(date) = &date {
            self.clock.correct(date);
        }
        let code = code.as_deref().map(Refusal::code).or(refusal.code);
        let refused = RefusedRequest {
            status,
            code: code.as_deref(),
            message: refusal.message.as_deref(),
            request_id: request_id.as_deref(),
            date: date.as_deref(),
            signed_at,
        };
        let failure = classify_refused(Some(&self.identity), refused);
        advised(operation, Some(call.stream), failure)
    }
}

#[cfg(test)]
mod tests;
