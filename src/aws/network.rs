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
pub(super) use http_client::Client;
pub(super) use proxies::{Proxies, Proxy};

/// The way of requests to AWS.
#[derive(Debug)]
pub(crate) struct Network {
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

impl Network {
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
