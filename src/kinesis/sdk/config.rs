//! A client of the SDK: region, credentials, time-outs.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::config::{Builder, StalledStreamProtectionConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use crate::error::{Error, Result};
use crate::model::{ConnectionSettings, StaticCredentials};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The service answers within seconds or not at all; without this a lost answer would hang a shard.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// A page of 10 MiB over a slow line takes a while; nothing takes longer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Below the idle time after which the service closes a connection: a request on a connection that
/// is just being closed fails, and a failed PutRecords may have written.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// A client whose endpoint is its own: on a shared configuration it would leak into calls of STS.
pub(super) async fn client(settings: &ConnectionSettings) -> Result<Client> {
    let shared = shared(settings).await;
    if shared.region().is_none() {
        return Err(Error::invalid_option(
            "no region: set option 'kinesis.region', give the stream as an ARN, or set AWS_REGION",
        ));
    }
    let mut config = Builder::from(&shared)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts());
    if let Some(url) = &settings.endpoint_url {
        config = config.endpoint_url(url);
    }
    Ok(Client::from_conf(config.build()))
}

/// What clients of any service begin with: HTTP, credentials, and the region where one is given or
/// found. The endpoint is that of Kinesis and not among it.
pub(crate) async fn shared(settings: &ConnectionSettings) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(region) = region(settings) {
        loader = loader.region(Region::new(region));
    }
    if let Some(credentials) = &settings.credentials {
        loader = loader.credentials_provider(static_credentials(credentials));
    }
    loader.load().await
}

/// How long one request may take, and its parts.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build()
}

fn static_credentials(credentials: &StaticCredentials) -> Credentials {
    let token = credentials.session_token.as_ref();
    Credentials::new(
        credentials.access_key_id.reveal(),
        credentials.secret_key.reveal(),
        token.map(|token| token.reveal().to_owned()),
        None,
        "table options",
    )
}

/// The region as given, else the one in the name of a public endpoint.
fn region(settings: &ConnectionSettings) -> Option<String> {
    settings.region.clone().or_else(|| {
        let url = settings.endpoint_url.as_deref()?;
        let host = url.split("://").nth(1)?.split(['/', ':']).next()?;
        let mut labels = host.split('.');
        let service = labels.next()?;
        let region = labels.next()?;
        let public = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        (public && matches!(service, "kinesis" | "kinesis-fips")).then(|| region.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_endpoint_names_its_region_and_no_other_does() {
        let region_of = |url: &str| {
            region(&ConnectionSettings {
                endpoint_url: Some(url.to_owned()),
                ..ConnectionSettings::default()
            })
        };
        let found = Some("eu-west-1".to_owned());
        assert_eq!(region_of("https://kinesis.eu-west-1.amazonaws.com"), found);
        assert_eq!(
            region_of("https://kinesis-fips.eu-west-1.amazonaws.com:443/"),
            found
        );
        assert_eq!(region_of("http://localhost:4567"), None);
        assert_eq!(
            region_of("https://vpce-1a.kinesis.us-east-1.vpce.amazonaws.com"),
            None
        );
    }
}
