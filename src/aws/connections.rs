//! The HTTP clients of the SDK: through a proxy or directly, with a server's certificate checked, and with
//! words for what goes wrong on the way.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::CertificateError;
use url::Url;

use super::certificates::Certificates;
use super::proxies::{Proxies, Proxy, Route};
use super::recent::InUse;
use super::trouble::find;

/// Below the idle time after which the service closes a connection: a request on a connection that
/// is just being closed fails, and a failed PutRecords may have written.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The way of requests to AWS.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) certificates: Arc<Certificates>,
}

/// Why a connection could not be made, where more can be said than the libraries do.
#[derive(Debug)]
pub(crate) struct ConnectFailure {
    /// Whether the next try would end the same.
    pub(crate) lasting: bool,
    text: String,
    source: Option<BoxError>,
}

impl ConnectFailure {
    /// The failure to connect behind an error.
    pub(crate) fn find_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        find(error)
    }

    /// The same, with its cause.
    #[must_use]
    pub(crate) fn caused_by(self, source: impl Into<BoxError>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for ConnectFailure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Way {
    /// How a request to `url` gets there.
    ///
    /// # Errors
    /// By a proxy that cannot be used.
    pub(crate) fn proxy(&self, url: &str) -> Result<Option<&Proxy>, ConnectFailure> {
        if !self.proxies.any() {
            return Ok(None);
        }
        // Whatever sends the request says what is wrong with its URL.
        let Ok(url) = Url::parse(url) else {
            return Ok(None);
        };
        match self.proxies.route(&url) {
            Route::Direct => Ok(None),
            Route::Through(proxy) => Ok(Some(proxy)),
            Route::Unusable(why) => Err(ConnectFailure {
                lasting: true,
                text: why.to_owned(),
                source: None,
            }),
        }
    }

    /// What to say about a request to `url` that failed with `error`.
    pub(crate) fn explain(
        &self,
        url: &str,
        error: &(dyn StdError + 'static),
    ) -> Option<ConnectFailure> {
        let proxy = self.proxy(url).ok().flatten();
        let through = proxy.map(|proxy| format!("through proxy {proxy}"));
        let certificate = match find::<rustls::Error>(error) {
            Some(rustls::Error::InvalidCertificate(refused)) => Some(self.refused(refused)),
            _ => None,
        };
        let login = proxy.filter(|_| wants_login(error));
        let login = login.map(|_| NO_LOGIN.to_owned());
        let known = certificate.or(login);
        let lasting = known.is_some();
        let text: Vec<String> = [known, through].into_iter().flatten().collect();
        (!text.is_empty()).then(|| ConnectFailure {
            lasting,
            text: text.join(", "),
            source: None,
        })
    }

    /// What to say about an answer with `status` to a request to `url`, if that is none of the server.
    pub(crate) fn refused_by_proxy(&self, url: &str, status: u16) -> Option<ConnectFailure> {
        let proxy = self.proxy(url).ok().flatten()?;
        (status == PROXY_AUTHENTICATION_REQUIRED).then(|| ConnectFailure {
            lasting: true,
            text: format!("{NO_LOGIN}, through proxy {proxy}"),
            source: None,
        })
    }

    /// What to do about a certificate that was refused.
    fn refused(&self, error: &CertificateError) -> String {
        let trusted = &self.certificates;
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the certificate of the server has expired: have it renewed, unless the clock of this \
                 machine is wrong"
                    .to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate of the server is not valid yet: is the clock of this machine right?"
                    .to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate of the server is for another name: correct the endpoint".to_owned()
            }
            _ => format!(
                "the certificate of the server is not trusted, trusted are {trusted}: name a file with the \
                 certificate of its authority in AWS_CA_BUNDLE, or in ca_bundle of the profile"
            ),
        }
    }
}

const NO_LOGIN: &str = "the proxy asks for a user and a password: expected \
    'http://user:password@host:port', or 'kinesis.sink.proxyUsername' and 'kinesis.sink.proxyPassword'";

/// The status by which a proxy asks for them (RFC 9110, 15.5.8).
const PROXY_AUTHENTICATION_REQUIRED: u16 = 407;

/// Whether a proxy asked who wants to pass, which the HTTP libraries say in words only.
fn wants_login(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if current.to_string() == "tunnel error: proxy authorization required" {
            return true;
        }
        cause = current.source();
    }
    false
}

/// An HTTP client of the SDK, shared by its clones.
#[derive(Debug, Clone)]
pub(super) struct Client(Arc<Clients>);

/// A client for each proxy, and one that connects directly.
#[derive(Debug)]
struct Clients {
    way: Arc<Way>,
    direct: SharedHttpClient,
    proxied: Vec<(Proxy, SharedHttpClient)>,
}

impl Client {
    /// A client that goes this way.
    pub(super) fn new(way: &Arc<Way>) -> Self {
        let proxies = way.proxies.usable().into_iter();
        Self(Arc::new(Clients {
            direct: connecting(way, None),
            proxied: proxies
                .map(|proxy| (proxy.clone(), connecting(way, Some(proxy))))
                .collect(),
            way: Arc::clone(way),
        }))
    }
}

impl InUse for Client {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// The client of the SDK that connects through `proxy`, or directly.
fn connecting(way: &Way, proxy: Option<&Proxy>) -> SharedHttpClient {
    let proxy = proxy
        .map(|proxy| ProxyConfig::all(proxy.url().reveal()).expect("its URL has been checked"));
    let context = way.certificates.tls_context();
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().pool_idle_timeout(POOL_IDLE_TIMEOUT);
        connector
            .set_proxy_config(proxy.clone())
            .set_connector_settings(settings.cloned())
            .set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.clone())
            .build()
    })
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let Clients {
            way,
            direct,
            proxied,
        } = &*self.0;
        let proxied = proxied.iter();
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        SharedHttpConnector::new(Routing {
            way: Arc::clone(way),
            direct: connector(direct),
            proxied: proxied
                .map(|(proxy, client)| (proxy.clone(), connector(client)))
                .collect(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.direct.connector_metadata()
    }
}

/// Sends each request the way that is meant for its host.
#[derive(Debug)]
struct Routing {
    way: Arc<Way>,
    direct: SharedHttpConnector,
    proxied: Vec<(Proxy, SharedHttpConnector)>,
}

impl HttpConnector for Routing {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = match self.way.proxy(request.uri()) {
            Ok(None) => &self.direct,
            Ok(Some(proxy)) => {
                let mut proxied = self.proxied.iter();
                let found = proxied.find(|(known, _)| known == proxy);
                found.map_or(&self.direct, |(_, connector)| connector)
            }
            Err(failure) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::other(
                    failure.into(),
                    None,
                )));
            }
        };
        let url = request.uri().to_owned();
        let way = Arc::clone(&self.way);
        let answer = connector.call(request);
        HttpConnectorFuture::new(async move {
            let error = match answer.await {
                Ok(answer) => {
                    return match way.refused_by_proxy(&url, answer.status().as_u16()) {
                        None => Ok(answer),
                        Some(failure) => Err(ConnectorError::other(failure.into(), None)),
                    };
                }
                Err(error) => error,
            };
            Err(match way.explain(&url, &error) {
                None => error,
                Some(failure) => {
                    let (lasting, timeout) = (failure.lasting, error.is_timeout());
                    let failure = failure.caused_by(error).into();
                    match lasting {
                        true => ConnectorError::other(failure, None),
                        false if timeout => ConnectorError::timeout(failure),
                        false => ConnectorError::io(failure),
                    }
                }
            })
        })
    }
}
