//! How requests reach AWS: proxies, trusted certificates, and HTTP clients of the SDK.

mod certificates;
mod http_client;
mod proxies;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use rustls::CertificateError;
use url::Url;

use super::error_chain::find;
use proxies::Route;

pub(super) use certificates::{CertificateSource, Certificates};
pub(crate) use http_client::CONNECT_TIMEOUT;
pub(super) use http_client::{Client, READ_TIMEOUT, connector};
pub(super) use proxies::{Proxies, Proxy};

/// Proxies and certificates of requests to AWS.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) certificates: Arc<Certificates>,
}

/// A connection failure with a better explanation than that of the libraries.
#[derive(Debug)]
pub(crate) struct ConnectFailure {
    /// Whether a retry would fail the same way.
    pub(crate) permanent: bool,
    text: String,
    source: Option<BoxError>,
}

impl ConnectFailure {
    /// Finds the connection failure behind an error.
    pub(crate) fn find_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        find(error)
    }

    /// Adds a cause.
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

impl Network {
    /// The proxy for a request to `url`, if any.
    ///
    /// # Errors
    /// The proxy cannot be used.
    pub(crate) fn proxy(&self, url: &str) -> Result<Option<&Proxy>, ConnectFailure> {
        if !self.proxies.any() {
            return Ok(None);
        }
        // The client that sends the request reports an invalid URL.
        let Ok(url) = Url::parse(url) else {
            return Ok(None);
        };
        match self.proxies.route(&url) {
            Route::Direct => Ok(None),
            Route::Through(proxy) => Ok(Some(proxy)),
            Route::Unusable(why) => Err(ConnectFailure {
                permanent: true,
                text: why.to_owned(),
                source: None,
            }),
        }
    }

    /// Explains why a request to `url` failed with `error`, if possible.
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
        let login = proxy.filter(|_| requires_login(error));
        let login = login.map(|_| NO_LOGIN.to_owned());
        let known = certificate.or(login);
        let permanent = known.is_some();
        let text: Vec<String> = [known, through].into_iter().flatten().collect();
        (!text.is_empty()).then(|| ConnectFailure {
            permanent,
            text: text.join(", "),
            source: None,
        })
    }

    /// Explains a response with `status` to a request to `url` if the proxy sent it instead of the
    /// server.
    pub(crate) fn refused_by_proxy(&self, url: &str, status: u16) -> Option<ConnectFailure> {
        let proxy = self.proxy(url).ok().flatten()?;
        (status == PROXY_AUTHENTICATION_REQUIRED).then(|| ConnectFailure {
            permanent: true,
            text: format!("{NO_LOGIN}, through proxy {proxy}"),
            source: None,
        })
    }

    /// Advice about a refused certificate.
    fn refused(&self, error: &CertificateError) -> String {
        let trusted = &self.certificates;
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server certificate has expired: have it renewed, or correct the clock of this machine"
                    .to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server certificate is not valid yet: check the clock of this machine"
                    .to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server certificate is for another host name: correct the endpoint".to_owned()
            }
            _ => format!(
                "the server certificate is not trusted (trusted: {trusted}): set AWS_CA_BUNDLE, or ca_bundle \
                 in the profile, to a file with the certificate of its authority"
            ),
        }
    }
}

const NO_LOGIN: &str = "the proxy requires a user and password: expected \
    'http://user:password@host:port', or 'kinesis.sink.proxyUsername' and 'kinesis.sink.proxyPassword'";

/// The status with which a proxy requires them (RFC 9110, 15.5.8).
const PROXY_AUTHENTICATION_REQUIRED: u16 = 407;

/// Whether a proxy required a login. The HTTP libraries report that only as text.
fn requires_login(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if current.to_string() == "tunnel error: proxy authorization required" {
            return true;
        }
        cause = current.source();
    }
    false
}
