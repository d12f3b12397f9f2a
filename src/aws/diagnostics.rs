//! Checks of `doctor`: the caller's identity according to STS, and the network route to Kinesis.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::{BoxError, SdkError};

use super::client_config::{AwsAccess, ClientConfig, sts_config};
use super::clock_skew::ClockSkew;
use super::credentials::{ChainSource, CredentialFailure};
use super::error_chain::causes;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Clock, ConnectionSettings, is_aws_host};

/// The identity that calls are made as.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Source of the credentials, in words.
    pub(crate) identity: String,
    /// The ARN, or why STS could not be reached; `None` if there is no STS.
    pub(crate) arn: Option<Result<String, String>>,
    /// Skew of the local clock, if STS answered.
    pub(crate) skew: Option<ClockSkew>,
}

impl AwsAccess {
    /// Requests the caller of these settings from STS. An endpoint outside AWS has no STS unless
    /// one is configured.
    ///
    /// # Errors
    /// Those of [`of`](Self::of); there are no credentials, or STS refuses them.
    pub(crate) async fn caller(&self, settings: &ConnectionSettings) -> Result<Caller> {
        let ClientConfig { sdk, identity, .. } = self.of(settings).await?;
        let refused = |error: &(dyn StdError + 'static)| {
            let said = match CredentialFailure::find_in(error) {
                Some(failure) => failure.to_string(),
                None => format!("as {}: {}", identity.name(), causes(error)),
            };
            Error::new(ErrorKind::AccessDenied, said)
        };
        let credentials = identity.provide_credentials().await;
        let credentials = credentials.map_err(|error| refused(&error))?;
        let source = credentials.get_property::<ChainSource>();
        let role = settings.credentials.role.as_ref();
        let probe = SkewProbe::new(Arc::clone(&self.clock));
        let arn = if has_sts(settings, &sdk) {
            let config = sts_config(&sdk, role).interceptor(probe.clone()).build();
            let client = aws_sdk_sts::Client::from_conf(config);
            match client.get_caller_identity().send().await {
                Ok(answer) => Some(Ok(answer.arn.unwrap_or_default())),
                Err(error @ SdkError::ServiceError(_)) => return Err(refused(&error)),
                // A network may reach the stream but not STS.
                Err(error) => Some(Err(causes(&error))),
            }
        } else {
            None
        };
        Ok(Caller {
            identity: match source {
                Some(ChainSource(source)) => format!("{} ({source})", identity.name()),
                None => identity.name().to_owned(),
            },
            arn,
            skew: probe.seen(),
        })
    }
}

impl AwsAccess {
    /// Describes the route to Kinesis if the environment or options set a proxy or certificates.
    ///
    /// # Errors
    /// Those of [`of`](Self::of); the proxy cannot be used.
    pub(crate) async fn describe_network(
        &self,
        settings: &ConnectionSettings,
    ) -> Result<Option<String>> {
        let ClientConfig { sdk, network, .. } = self.of(settings).await?;
        let named = settings.endpoint_url.as_deref().or(sdk.endpoint_url());
        let region = sdk.region().map_or("", |region| region.as_ref());
        let public = format!("https://kinesis.{region}.amazonaws.com");
        let proxy = network.proxy(named.unwrap_or(&public));
        let proxy = proxy.map_err(|failure| Error::invalid_option(failure.to_string()))?;
        let mut said = Vec::new();
        match proxy {
            Some(proxy) => said.push(format!("through proxy {proxy}")),
            None if network.proxies.any() => {
                said.push("direct, bypassing the proxy of the environment".to_owned());
            }
            None => {}
        }
        if network.certificates.are_named() {
            said.push(format!("trusted certificates: {}", network.certificates));
        }
        Ok((!said.is_empty()).then(|| said.join("; ")))
    }
}

/// Whether these settings have an STS: that of AWS or a configured one.
fn has_sts(settings: &ConnectionSettings, sdk: &SdkConfig) -> bool {
    let role = settings.credentials.role.as_ref();
    settings.endpoint_url.as_deref().is_none_or(is_aws_host)
        || role.is_some_and(|role| role.endpoint_url.is_some())
        || sdk.endpoint_url().is_some()
        || std::env::var_os("AWS_ENDPOINT_URL_STS").is_some()
}

/// Records the clock skew of the first response.
#[derive(Debug, Clone)]
struct SkewProbe {
    clock: Arc<dyn Clock>,
    seen: Arc<Mutex<Option<ClockSkew>>>,
}

impl SkewProbe {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            seen: Arc::default(),
        }
    }

    fn seen(&self) -> Option<ClockSkew> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for SkewProbe {
    fn name(&self) -> &'static str {
        "SkewProbe"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let skew = date.and_then(|date| ClockSkew::of(date, self.clock.now()));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = seen.or(skew);
        Ok(())
    }
}
