//! Configures the clients: endpoint, timeouts, no retries.

use std::sync::Arc;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{Builder, StalledStreamProtectionConfig};

use super::data_plane::DataPlane;
use crate::aws::{AwsAccess, Identity, ServiceClock, endpoint_of, timeouts};
use crate::error::{Error, Result};
use crate::model::ConnectionSettings;

/// What sends the requests of a table.
pub(super) struct Clients {
    pub(super) client: Client,
    pub(super) data_plane: DataPlane,
    pub(super) identity: Identity,
    /// The endpoint, if it is not that of the region.
    pub(super) endpoint: Option<String>,
    pub(super) clock: Arc<ServiceClock>,
}

/// Builds the clients. The endpoint is set on them only; on the shared configuration it would also apply to STS.
pub(super) async fn clients(access: &AwsAccess, settings: &ConnectionSettings) -> Result<Clients> {
    let shared = access.of(settings).await?;
    let Some(region) = shared.sdk.region() else {
        return Err(no_region(settings.endpoint_url.as_deref()));
    };
    let mut config = Builder::from(&shared.sdk)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts());
    let endpoint = endpoint_of("Kinesis", settings, &shared.sdk)?;
    if let Some(url) = &endpoint {
        config = config.endpoint_url(url);
    }
    let clock = Arc::new(ServiceClock::new(access.clock()));
    let data_plane = DataPlane::new(
        &shared,
        region.as_ref(),
        endpoint.as_deref(),
        Arc::clone(&clock),
    );
    Ok(Clients {
        client: Client::from_conf(config.build()),
        data_plane,
        identity: shared.identity,
        endpoint,
        clock,
    })
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
