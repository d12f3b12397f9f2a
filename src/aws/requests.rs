//! Requests that no client of the SDK sends, with its proxies, certificates and signatures.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

use super::client_config::{AwsAccess, ClientConfig};
use super::error_chain::causes;
use super::network::ConnectFailure;
use super::signing::{SignatureScope, UnsignedRequest, signature};
use crate::error::Result as CrateResult;
use crate::model::{Clock, ConnectionSettings};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Sends requests.
#[derive(Debug)]
pub(crate) struct RequestSender {
    config: ClientConfig,
    clock: Arc<dyn Clock>,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Vec<u8>,
    /// The service and region that the request is signed for, if it is signed.
    pub(crate) signed_for: Option<(&'static str, &'a str)>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The code of an error of AWS, which may be only in this header.
    pub(crate) error_type: Option<String>,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct RequestFailure {
    /// Whether a retry would fail the same way.
    pub(crate) is_permanent: bool,
    /// Whether there are no credentials to sign with.
    pub(crate) lacks_credentials: bool,
    text: String,
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for RequestFailure {}

impl RequestFailure {
    fn new(is_permanent: bool, text: impl Into<String>) -> Self {
        Self {
            is_permanent,
            lacks_credentials: false,
            text: text.into(),
        }
    }
}

impl RequestSender {
    /// The configuration that it was made of.
    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// The request cannot be made or signed, there is no connection, or the answer is too late or too large.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Answer, RequestFailure> {
        let request = self.prepared(request).await?;
        let answered = tokio::time::timeout(TIMEOUT, self.exchange(request)).await;
        answered.unwrap_or_else(|_| {
            let seconds = TIMEOUT.as_secs();
            Err(RequestFailure::new(
                false,
                format!("no answer within {seconds} s"),
            ))
        })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<Answer, RequestFailure> {
        let answer = self.config.connector.call(request).await.map_err(|error| {
            let permanent =
                ConnectFailure::find_in(&error).is_some_and(|failure| failure.permanent);
            RequestFailure::new(permanent || error.is_user(), causes(&error))
        })?;
        let status = answer.status().as_u16();
        let error_type = answer.headers().get("x-amzn-errortype").map(str::to_owned);
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
        match body.collect().await {
            Ok(body) => Ok(Answer {
                status,
                error_type,
                body: body.to_bytes(),
            }),
            Err(error) => Err(RequestFailure::new(
                error.is::<http_body_util::LengthLimitError>(),
                format!("the answer cannot be read: {error}"),
            )),
        }
    }

    /// The request for the connector, signed if it is to be.
    async fn prepared(&self, request: Request<'_>) -> Result<HttpRequest, RequestFailure> {
        let permanent = |error: &(dyn StdError + 'static)| RequestFailure::new(true, causes(error));
        let signature = match request.signed_for {
            None => Vec::new(),
            Some((service, region)) => self.signature(&request, service, region).await?,
        };
        let mut prepared = HttpRequest::new(request.body.into());
        let made = prepared.set_method(request.method);
        made.map_err(|error| permanent(&error))?;
        let made = prepared.set_uri(request.url);
        made.map_err(|error| permanent(&error))?;
        let signature = signature.into_iter();
        let signature = signature.map(|(name, value)| (Cow::Borrowed(name), value));
        for (name, value) in request.headers.into_iter().chain(signature) {
            let inserted = prepared.headers_mut().try_insert(name, value);
            inserted.map_err(|error| permanent(&error))?;
        }
        Ok(prepared)
    }

    /// The headers with the signature of a request.
    async fn signature(
        &self,
        request: &Request<'_>,
        service: &'static str,
        region: &str,
    ) -> Result<Vec<(&'static str, String)>, RequestFailure> {
        let credentials = self.config.identity.credentials().await;
        let credentials = credentials.map_err(|failure| RequestFailure {
            lacks_credentials: true,
            ..RequestFailure::new(!failure.transient, failure.to_string())
        })?;
        let headers = request.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (&**name, value.as_str()))
            .collect();
        let unsigned = UnsignedRequest {
            method: request.method,
            url: request.url,
            headers: &headers,
            body: &request.body,
        };
        let scope = SignatureScope {
            service,
            region,
            time: self.clock.now(),
        };
        signature(credentials, scope, &unsigned).map_err(|text| RequestFailure::new(true, text))
    }
}

impl AwsAccess {
    /// A sender of requests that no client of the SDK sends.
    ///
    /// # Errors
    /// Those of [`of`](Self::of).
    pub(crate) async fn requests(
        &self,
        settings: &ConnectionSettings,
    ) -> CrateResult<RequestSender> {
        let config = self.of(settings).await?;
        Ok(RequestSender {
            config,
            clock: Arc::clone(&self.clock),
        })
    }
}
