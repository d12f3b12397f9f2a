//! Chooses the proxy of a request, from environment variables or options. Pure decisions, no I/O.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

use crate::model::{ProxySettings, Secret};

/// The proxies of a network.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    http: Option<Configured>,
    https: Option<Configured>,
    /// Hosts that are reached directly; `None` if options set the proxy.
    exempt: Option<Exemptions>,
}

/// A usable proxy, or why it cannot be used.
type Configured = Result<Proxy, String>;

/// A proxy and the setting that names it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Proxy {
    /// Includes user and password.
    url: Url,
    named_by: &'static str,
}

/// How a request reaches its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Direct,
    Through(&'a Proxy),
    /// The configured proxy cannot be used, for this reason.
    Unusable(&'a str),
}

impl Proxies {
    /// The proxies of the environment; `variable` looks up a variable.
    ///
    /// As in curl and the AWS CLI, a lower-case name takes precedence over its upper-case form, and
    /// an empty value disables the proxy.
    pub(in crate::aws) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |small: &'static str, capital: &'static str| {
            let found = |name: &'static str| Some((name, variable(name)?));
            let (name, value) = found(small).or_else(|| found(capital))?;
            let value = value.trim().to_owned();
            (!value.is_empty()).then_some((name, value))
        };
        // In a CGI script, a client controls HTTP_PROXY through a header (httpoxy.org).
        let capital = match variable("REQUEST_METHOD") {
            Some(_) => "http_proxy",
            None => "HTTP_PROXY",
        };
        let all = read("all_proxy", "ALL_PROXY");
        let proxy = |(name, value): (&'static str, String)| Proxy::parse(&value, name);
        let list = read("no_proxy", "NO_PROXY").map(|(_, list)| list);
        Self {
            http: read("http_proxy", capital)
                .or_else(|| all.clone())
                .map(proxy),
            https: read("https_proxy", "HTTPS_PROXY").or(all).map(proxy),
            exempt: Some(Exemptions::parse(&list.unwrap_or_default())),
        }
    }

    /// The proxy of a table's options, for all hosts.
    pub(in crate::aws) fn of_options(settings: &ProxySettings) -> Self {
        let proxy = Proxy::of_options(settings);
        Self {
            http: Some(proxy.clone()),
            https: Some(proxy),
            exempt: None,
        }
    }

    /// The route of requests to `url`.
    pub(crate) fn route(&self, url: &Url) -> Route<'_> {
        let configured = match url.scheme() {
            "http" => &self.http,
            _ => &self.https,
        };
        let Some(configured) = configured else {
            return Route::Direct;
        };
        // A proxy must not see instance credentials.
        if is_link_local(url) || self.exempt.as_ref().is_some_and(|exempt| exempt.holds(url)) {
            return Route::Direct;
        }
        match configured {
            Ok(proxy) => Route::Through(proxy),
            Err(why) => Route::Unusable(why),
        }
    }

    /// The usable proxies, without duplicates.
    pub(in crate::aws) fn usable(&self) -> Vec<&Proxy> {
        let mut proxies: Vec<_> = [&self.http, &self.https]
            .into_iter()
            .filter_map(|configured| configured.as_ref()?.as_ref().ok())
            .collect();
        proxies.dedup();
        proxies
    }

    /// Whether any proxy is configured.
    pub(crate) fn any(&self) -> bool {
        self.http.is_some() || self.https.is_some()
    }
}

impl Proxy {
    fn parse(value: &str, named_by: &'static str) -> Configured {
        let with_scheme = match value.contains("://") {
            true => value.to_owned(),
            false => format!("http://{value}"),
        };
        // The value may contain a password, so no message shows it.
        let url = Url::parse(&with_scheme);
        let url = url.map_err(|error| format!("{named_by} is not the URL of a proxy: {error}"))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self { url, named_by }),
            scheme => Err(format!(
                "{named_by} sets a {scheme}:// proxy: expected 'http://host:port' or 'https://host:port'"
            )),
        }
    }

    fn of_options(settings: &ProxySettings) -> Configured {
        let mut proxy = Self::parse(&settings.url, "kinesis.sink.proxyAddress")?;
        if let Some(login) = &settings.login {
            // The setters do not escape '%', which readers of the URL decode.
            let escaped = |text: &str| text.replace('%', "%25");
            let set = proxy
                .url
                .set_username(&escaped(&login.username))
                .and_then(|()| {
                    let password = escaped(login.password.reveal());
                    proxy.url.set_password(Some(&password))
                });
            set.map_err(|()| "kinesis.sink.proxyUsername cannot be part of a URL".to_owned())?;
        }
        Ok(proxy)
    }

    /// The URL including user and password.
    pub(crate) fn url(&self) -> Secret {
        Secret::new(self.url.as_str())
    }
}

/// Omits user and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.scheme();
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        write!(f, "'{scheme}://{host}:{port}' ({})", self.named_by)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hosts that are reached directly: those of `NO_PROXY`, and this machine.
#[derive(Debug)]
struct Exemptions(Vec<Exemption>);

#[derive(Debug, PartialEq, Eq)]
struct Exemption {
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum HostPattern {
    All,
    /// A domain and its subdomains.
    Domain(String),
    /// A network address and prefix length.
    Network(IpAddr, u32),
}

impl Exemptions {
    fn parse(list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(entries.filter_map(Exemption::parse).collect())
    }

    fn holds(&self, url: &Url) -> bool {
        is_this_machine(url) || self.0.iter().any(|exemption| exemption.holds(url))
    }
}

impl Exemption {
    fn parse(entry: &str) -> Option<Self> {
        let host = HostPattern::parse(entry);
        if host.is_some() {
            return host.map(|host| Self { host, port: None });
        }
        let (host, port) = entry.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            host: HostPattern::parse(host)?,
            port: Some(port),
        })
    }

    fn holds(&self, url: &Url) -> bool {
        let port = self.port.is_none() || self.port == url.port_or_known_default();
        port && match (&self.host, url.host()) {
            (HostPattern::All, _) => true,
            (HostPattern::Domain(domain), Some(Host::Domain(name))) => {
                let name = name.trim_end_matches('.');
                let front = name.strip_suffix(domain.as_str());
                front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
            }
            (HostPattern::Network(network, length), Some(Host::Ipv4(address))) => {
                is_in(IpAddr::V4(address), *network, *length)
            }
            (HostPattern::Network(network, length), Some(Host::Ipv6(address))) => {
                is_in(IpAddr::V6(address), *network, *length)
            }
            _ => false,
        }
    }
}

impl HostPattern {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse().ok()?)),
            None => (text, None),
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = address.parse::<IpAddr>() {
            let longest = bits(address).1;
            return Some(Self::Network(
                address,
                length.unwrap_or(longest).min(longest),
            ));
        }
        let domain = text.trim_start_matches('*').trim_matches('.');
        let is_domain = !domain.is_empty() && !domain.contains([':', '/', '*']);
        is_domain.then(|| Self::Domain(domain.to_ascii_lowercase()))
    }
}

/// An address as a number, and its length in bits.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

fn is_in(address: IpAddr, network: IpAddr, length: u32) -> bool {
    let ((address, of), (network, also)) = (bits(address), bits(network));
    // A prefix of zero bits contains all addresses, and shifting by all bits overflows.
    let differs = (address ^ network).checked_shr(of - length);
    of == also && differs.is_none_or(|differs| differs == 0)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether instances or containers get credentials from this address (EC2 User Guide, "Access
/// instance metadata"; EKS User Guide, "EKS Pod Identity").
fn is_link_local(url: &Url) -> bool {
    /// `fd00:ec2::/32`.
    const AMAZON: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0);
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => {
            address.is_unicast_link_local() || is_in(address.into(), AMAZON.into(), 32)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
