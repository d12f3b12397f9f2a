//! S3 with the default credentials, proxies and certificates of this crate's AWS access.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::AwsCredential;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{
    ClientConfigKey, ClientOptions, CredentialProvider, Error as Store, Result as StoreResult,
};
use tokio::sync::OnceCell;

use super::requests::CountRequests;
use crate::aws::{AwsAccess, ClientConfig, Network};
use crate::error::Error;
use crate::model::{ConnectionSettings, Secret, parse_duration};

/// The default AWS access, resolved once. The default chain of the `object_store` crate reads no profiles.
#[derive(Debug)]
pub(super) struct DefaultAccess {
    access: AwsAccess,
    resolved: OnceCell<ClientConfig>,
}

impl DefaultAccess {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            access: AwsAccess::new(),
            resolved: OnceCell::new(),
        })
    }

    async fn resolved(&self) -> Result<&ClientConfig, Error> {
        let settings = ConnectionSettings {
            // The settings of the store determine whether its endpoint may be http://.
            allow_http: true,
            ..ConnectionSettings::default()
        };
        let made = self.resolved.get_or_try_init(|| self.access.of(&settings));
        made.await
    }
}

/// The credentials of the default chain.
#[derive(Debug)]
pub(super) struct DefaultCredentials(pub(super) Arc<DefaultAccess>);

#[async_trait]
impl CredentialProvider for DefaultCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> StoreResult<Arc<AwsCredential>> {
        let access = self.0.resolved().await.map_err(|error| Store::Generic {
            store: "S3",
            source: Box::new(error),
        })?;
        let keys = access.identity.keys().await;
        let keys = keys.map_err(|trouble| match trouble.transient {
            true => Store::Generic {
                store: "S3",
                source: Box::new(trouble),
            },
            false => Store::Unauthenticated {
                path: String::new(),
                source: Box::new(trouble),
            },
        })?;
        Ok(Arc::new(AwsCredential {
            key_id: keys.access_key_id.reveal().to_owned(),
            secret_key: keys.secret_key.reveal().to_owned(),
            token: keys
                .session_token
                .as_ref()
                .map(Secret::reveal)
                .map(str::to_owned),
        }))
    }
}

/// Creates the HTTP client of a store. That of the `object_store` crate has other rules for proxies, and reads no
/// certificate file.
#[derive(Debug)]
pub(super) struct DefaultConnector {
    pub(super) access: Arc<DefaultAccess>,
    /// Where requests are counted.
    pub(super) counter: Arc<dyn CountRequests>,
}

impl HttpConnector for DefaultConnector {
    fn connect(&self, options: &ClientOptions) -> StoreResult<HttpClient> {
        Ok(HttpClient::new(Connection {
            access: Arc::clone(&self.access),
            counter: Arc::clone(&self.counter),
            options: options.clone(),
            client: OnceCell::new(),
        }))
    }
}

/// An HTTP client that is created by the first request, because that reads the profile.
#[derive(Debug)]
struct Connection {
    access: Arc<DefaultAccess>,
    counter: Arc<dyn CountRequests>,
    options: ClientOptions,
    client: OnceCell<reqwest::Client>,
}

#[async_trait]
impl HttpService for Connection {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let access = self.access.resolved().await;
        let access = access.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let network = &access.network;
        let url = request.uri().to_string();
        network
            .proxy(&url)
            .map_err(|failure| HttpError::new(HttpErrorKind::Unknown, failure))?;
        let create = async || client(&self.options, network);
        let client = self.client.get_or_try_init(create).await;
        let client = client.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let unknown = |failure| HttpError::new(HttpErrorKind::Unknown, failure);
        self.counter
            .s3(request.method().as_str(), request.uri().query());
        match client.call(request).await {
            Ok(answer) => match network.refused_by_proxy(&url, answer.status().as_u16()) {
                None => Ok(answer),
                Some(failure) => Err(unknown(failure)),
            },
            Err(error) => Err(match network.explain(&url, &error) {
                None => error,
                Some(failure) => HttpError::new(error.kind(), failure.caused_by(error)),
            }),
        }
    }
}

/// A client for `network`, with the client options of the store.
fn client(options: &ClientOptions, network: &Arc<Network>) -> reqwest::Result<reqwest::Client> {
    let option = |key| options.get_config_value(&key);
    let is_set = |key| option(key).is_some_and(|value| value == "true");
    let duration = |key| option(key).and_then(|value| parse_duration(&value));
    let routes = Arc::clone(network);
    let proxy = reqwest::Proxy::custom(move |url| {
        let proxy = routes.proxy(url.as_str()).ok().flatten()?;
        Some(proxy.url().reveal().to_owned())
    });
    let mut builder = reqwest::Client::builder()
        .proxy(proxy)
        .https_only(!is_set(ClientConfigKey::AllowHttp))
        .danger_accept_invalid_certs(is_set(ClientConfigKey::AllowInvalidCertificates))
        .timeout(duration(ClientConfigKey::Timeout).unwrap_or(TIMEOUT))
        .connect_timeout(duration(ClientConfigKey::ConnectTimeout).unwrap_or(CONNECT_TIMEOUT))
        .user_agent(option(ClientConfigKey::UserAgent).unwrap_or_else(|| USER_AGENT.to_owned()))
        // As in the `object_store` crate: HTTP/2 is slower, and compression would hide the size of an object.
        .http1_only()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate();
    if let Some(bundle) = network.certificates.bundle() {
        builder = builder.tls_built_in_root_certs(false);
        for certificate in bundle {
            builder = builder.add_root_certificate(reqwest::Certificate::from_der(certificate)?);
        }
    }
    builder.build()
}

/// The defaults of the `object_store` crate.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
