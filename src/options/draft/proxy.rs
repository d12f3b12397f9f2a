//! Proxy options and their checks.

use crate::error::{Error, Result};
use crate::model::{ProxyLogin, ProxySettings, Secret};

/// The default port of a proxy (Kinesis Producer Library, `ProxyPort`).
const DEFAULT_PORT: u16 = 443;

/// The proxy options.
#[derive(Debug, Clone, Default)]
pub(in crate::options) struct ProxyDraft {
    /// `http://host` or `https://host`.
    pub(in crate::options) address: Option<String>,
    pub(in crate::options) port: Option<u16>,
    pub(in crate::options) username: Option<String>,
    pub(in crate::options) password: Option<Secret>,
}

impl ProxyDraft {
    /// Checks the options together.
    pub(super) fn finish(&self) -> Result<Option<ProxySettings>> {
        let Some(address) = &self.address else {
            let dependent = [
                ("proxyPort", self.port.is_some()),
                ("proxyUsername", self.username.is_some()),
                ("proxyPassword", self.password.is_some()),
            ];
            return match dependent.into_iter().find(|(_, given)| *given) {
                None => Ok(None),
                Some((name, _)) => Err(requires_option(name, "proxyAddress")),
            };
        };
        let login = match (&self.username, &self.password) {
            (None, None) => None,
            (Some(username), Some(password)) => Some(ProxyLogin {
                username: username.clone(),
                password: password.clone(),
            }),
            (Some(_), None) => return Err(requires_option("proxyUsername", "proxyPassword")),
            (None, Some(_)) => return Err(requires_option("proxyPassword", "proxyUsername")),
        };
        let port = self.port.unwrap_or(DEFAULT_PORT);
        Ok(Some(ProxySettings {
            url: format!("{address}:{port}"),
            login,
        }))
    }
}

/// The error for an option that has no effect without another one.
fn requires_option(name: &str, other: &str) -> Error {
    Error::invalid_option(format!(
        "option 'kinesis.sink.{name}': expected only together with 'kinesis.sink.{other}'"
    ))
}
