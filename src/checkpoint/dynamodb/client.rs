//! The DynamoDB client: configured like that of the stream, with its own endpoint, region and credentials.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Builder, Region, StalledStreamProtectionConfig};

use super::super::OffsetCommitter;
use super::DynamoDbCommitter;
use crate::aws::{AwsAccess, ClientConfig, endpoint_of, timeouts};
use crate::error::{Error, Result};
use crate::model::{ConnectionSettings, StreamName, region_of_endpoint};
use crate::options::DynamoDbSettings;

/// The log of the query called `query` in `table`, with the connection `settings`.
///
/// # Errors
/// As [`DynamoDbCommitter::connect`].
pub(super) async fn connect(
    access: &AwsAccess,
    settings: &ConnectionSettings,
    table: &str,
    query: &str,
) -> Result<DynamoDbCommitter> {
    let ClientConfig { sdk, identity, .. } = access.of(settings).await?;
    if sdk.region().is_none() {
        return Err(Error::invalid_option(
            "no region: set option 'kinesis.dynamodb.region' or 'kinesis.region', or AWS_REGION",
        ));
    }
    let mut config = Builder::from(&sdk)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts());
    let endpoint = endpoint_of("DynamoDB", settings, &sdk)?;
    if let Some(url) = &endpoint {
        config = config.endpoint_url(url);
    }
    // Each request is sent once: the query retries transient errors by its own policy.
    let client = Client::from_conf(config.build());
    let mut committer = DynamoDbCommitter::over(client, table, query)?;
    committer.identity = Some(identity);
    if let Some(url) = endpoint {
        committer.endpoint = url;
    }
    Ok(committer)
}

/// The log of a query of `stream`, whose connection settings are `settings`.
///
/// # Errors
/// As [`DynamoDbCommitter::connect`].
pub(crate) async fn open(
    access: &AwsAccess,
    settings: &ConnectionSettings,
    dynamodb: &DynamoDbSettings,
    stream: &StreamName,
    query: &str,
) -> Result<Arc<dyn OffsetCommitter>> {
    let committer = committer(access, settings, dynamodb, stream, query).await?;
    Ok(Arc::new(committer))
}

/// Like that function, but returns the type of the committer.
pub(super) async fn committer(
    access: &AwsAccess,
    settings: &ConnectionSettings,
    dynamodb: &DynamoDbSettings,
    stream: &StreamName,
    query: &str,
) -> Result<DynamoDbCommitter> {
    let own = reached_by(settings, dynamodb);
    let table = match &dynamodb.table {
        Some(table) => table.clone(),
        None => {
            let streams = access.of(settings).await?.sdk;
            let region = streams
                .region()
                .map(Region::to_string)
                .or(own.region.clone());
            format!("kdsc_{}_{stream}", region.unwrap_or_default())
        }
    };
    connect(access, &own, &table, query).await
}

/// The connection settings of the table, derived from those of the stream.
fn reached_by(settings: &ConnectionSettings, dynamodb: &DynamoDbSettings) -> ConnectionSettings {
    let own = dynamodb.region.clone();
    let streams = settings.endpoint_url.as_deref();
    let region = own.or_else(|| settings.region.clone());
    ConnectionSettings {
        endpoint_url: dynamodb.endpoint_url.clone(),
        region: region.or_else(|| streams.and_then(region_of_endpoint)),
        credentials: dynamodb.credentials_with_defaults(&settings.credentials),
        allow_http: settings.allow_http,
        // The proxy of the options is for the stream only.
        proxy: None,
        ..ConnectionSettings::default()
    }
}
