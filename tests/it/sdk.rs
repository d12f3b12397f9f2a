//! The AWS SDK's client, set up for a server on loopback.

use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::{Client, Config};
use aws_smithy_http_client::{Builder, tls};

/// A client of `endpoint` with made-up credentials; what fails is not tried again.
pub(crate) fn client(endpoint: &str) -> Client {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let http = Builder::new().tls_provider(ring).build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}
