//! Clients of the AWS SDK for servers on loopback, without retries.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{
    BehaviorVersion, Credentials, ProvideCredentials, Region, SharedHttpClient,
};
use aws_smithy_http_client::{Builder, tls};

fn http() -> SharedHttpClient {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    Builder::new().tls_provider(ring).build_https()
}

/// An HTTP client that trusts the certificate in `pem` alone.
fn http_trusting(pem: &str) -> SharedHttpClient {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let trusted = tls::TrustStore::empty().with_pem_certificate(pem.as_bytes());
    let context = tls::TlsContext::builder().with_trust_store(trusted).build();
    let builder = Builder::new().tls_provider(ring);
    builder.tls_context(context.unwrap()).build_https()
}

/// A client of the server at `endpoint` with this certificate, which speaks HTTP/2 if the server does.
pub(crate) fn client_trusting(endpoint: &str, pem: &str) -> Client {
    let made_up = Credentials::new("test", "test", None, None, "test");
    client_through(http_trusting(pem), endpoint, "us-east-1", made_up)
}

/// A client of `endpoint` with made-up credentials.
pub(crate) fn client(endpoint: &str) -> Client {
    let made_up = Credentials::new("test", "test", None, None, "test");
    client_as(endpoint, "us-east-1", made_up)
}

/// A client of `endpoint` that signs for `region`.
pub(crate) fn client_as(
    endpoint: &str,
    region: &'static str,
    credentials: impl ProvideCredentials + 'static,
) -> Client {
    client_through(http(), endpoint, region, credentials)
}

fn client_through(
    http: SharedHttpClient,
    endpoint: &str,
    region: &'static str,
    credentials: impl ProvideCredentials + 'static,
) -> Client {
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

/// A client of the STS at `endpoint`.
pub(crate) fn sts(
    endpoint: &str,
    credentials: impl ProvideCredentials + 'static,
) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .http_client(http())
        .endpoint_url(endpoint)
        .build();
    aws_sdk_sts::Client::from_conf(config)
}
