//! Configures the SDK client: endpoint, timeouts, no retries.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{Builder, StalledStreamProtectionConfig};

use crate::aws::{AwsAccess, ClientConfig, Identity, endpoint_of, timeouts};
use crate::error::{Error, Result};
use crate::model::ConnectionSettings;

/// Builds the client. Also returns its endpoint, if it is not that of the region. It is set on this
/// client only; on the shared configuration it would also apply to STS.
pub(super) async fn client(
    access: &AwsAccess,
    settings: &ConnectionSettings,
) -> Result<(Client, Identity, Option<String>)> {
    let ClientConfig { sdk, identity, .. } = access.of(settings).await?;
    if sdk.region().is_none() {
        return Err(no_region(settings.endpoint_url.as_deref()));
    }
    let mut config = Builder::from(&sdk)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts());
    let endpoint = endpoint_of("Kinesis", settings, &sdk)?;
    if let Some(url) = &endpoint {
        config = config.endpoint_url(url);
    }
    Ok((Client::from_conf(config.build()), identity, endpoint))
}

fn no_region(endpoint: Option<&str>) -> Error {
    let reason = match endpoint {
        Some(url) => format!("endpoint '{url}' does not contain a region"),
        None => "no region is configured".to_owned(),
    };
    Error::invalid_option(format!(
        "{reason}: set option 'kinesis.region', give the stream as an ARN, or set AWS_REGION"
    ))
}
