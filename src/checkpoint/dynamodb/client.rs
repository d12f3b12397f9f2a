//! The way to DynamoDB: that of Kinesis, with an endpoint and a region of its own.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Builder, Region, StalledStreamProtectionConfig};

use super::super::OffsetCommitter;
use super::DynamoDbCommitter;
use crate::error::{Error, Result};
use crate::kinesis::{shared_config, timeouts};
use crate::model::{ConnectionSettings, StreamName};
use crate::options::DynamoDbSettings;

/// A client that sends each request once.
///
/// # Errors
/// No region is given, and none is found.
pub(super) async fn connect(settings: &ConnectionSettings) -> Result<Client> {
    let endpoint = settings.endpoint_url.as_deref();
    let (client, _) = with_region(settings, settings.region.clone(), endpoint).await?;
    Ok(client)
}

/// The log of a query of `stream`, which is reached by `settings`.
///
/// # Errors
/// As [`DynamoDbCommitter::connect`].
pub(crate) async fn open(
    settings: &ConnectionSettings,
    dynamodb: &DynamoDbSettings,
    stream: &StreamName,
    query: &str,
) -> Result<Arc<dyn OffsetCommitter>> {
    let (own, endpoint) = (dynamodb.region.clone(), dynamodb.endpoint_url.as_deref());
    let (client, region) = with_region(settings, own, endpoint).await?;
    let table = match &dynamodb.table {
        Some(table) => table.clone(),
        None => format!("kdsc_{region}_{stream}"),
    };
    let committer = DynamoDbCommitter::over(client, &table, query)?;
    Ok(Arc::new(committer.reached_at(endpoint)))
}

/// A client for the region `own`, else the one that `settings` give or that is found; with the region
/// of `settings`.
async fn with_region(
    settings: &ConnectionSettings,
    own: Option<String>,
    endpoint: Option<&str>,
) -> Result<(Client, String)> {
    let shared = shared_config(settings).await;
    let streams = shared.region().map(Region::to_string);
    let Some(region) = own.or_else(|| streams.clone()) else {
        return Err(Error::invalid_option(
            "no region: set option 'kinesis.dynamodb.region' or 'kinesis.region', or AWS_REGION",
        ));
    };
    let mut config = Builder::from(&shared)
        .region(Region::new(region.clone()))
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts());
    if let Some(url) = endpoint {
        config = config.endpoint_url(url);
    }
    let client = Client::from_conf(config.build());
    Ok((client, streams.unwrap_or(region)))
}
