//! Requests that no client of the SDK sends, with its proxies, certificates and signatures.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::identity::Identity as SigningIdentity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

use super::client_config::{AwsAccess, ClientConfig};
use super::credentials::CredentialFailure;
use super::error_chain::causes;
use super::network::{self, ConnectFailure};
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
    connector: SharedHttpConnector,
    clock: Arc<dyn Clock>,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    pub(crate) headers: Vec<(&'static str, String)>,
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
    /// A sender with this configuration. `clock` has the time of signatures.
    fn new(config: ClientConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            connector: network::connector(&config.network),
            config,
            clock,
        }
    }

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
        let answer = self.connector.call(request).await.map_err(|error| {
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
        for (name, value) in request.headers.into_iter().chain(signature) {
            let inserted = prepared.headers_mut().try_insert(name, value);
            inserted.map_err(|error| permanent(&error))?;
        }
        Ok(prepared)
    }

    fn now(&self) -> SystemTime {
        let millis = u64::try_from(self.clock.now().0).unwrap_or_default();
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    /// The headers with the signature of a request.
    async fn signature(
        &self,
        request: &Request<'_>,
        service: &str,
        region: &str,
    ) -> Result<Vec<(&'static str, String)>, RequestFailure> {
        let credentials = self.config.identity.provide_credentials().await;
        let credentials = credentials.map_err(|error| {
            let failure = CredentialFailure::of(&error);
            RequestFailure {
                lacks_credentials: true,
                ..RequestFailure::new(!failure.transient, failure.to_string())
            }
        })?;
        let unsigned = |error: &(dyn StdError + 'static)| {
            RequestFailure::new(true, format!("it cannot be signed: {}", causes(error)))
        };
        let identity = SigningIdentity::from(credentials);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(self.now())
            .settings(SigningSettings::default())
            .build();
        let params = params.map_err(|error| unsigned(&error))?.into();
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (*name, value.as_str()));
        let body = SignableBody::Bytes(&request.body);
        let signable = SignableRequest::new(request.method, request.url, headers, body);
        let signable = signable.map_err(|error| unsigned(&error))?;
        let signed = sign(signable, &params).map_err(|error| unsigned(&error))?;
        let (headers, _) = signed.into_parts().0.into_parts();
        let headers = headers.iter();
        Ok(headers
            .map(|header| (header.name(), header.value().to_owned()))
            .collect())
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
        Ok(RequestSender::new(config, Arc::clone(&self.clock)))
    }
}
