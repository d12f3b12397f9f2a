//! Who may look, and who may stop a query.

use std::net::SocketAddr;

use axum::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use subtle::ConstantTimeEq;
use url::Url;
use url::form_urlencoded::parse;

use crate::error::{Error, ErrorKind, Result};

/// A shorter token could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// No request needs a longer body.
const MAX_BODY_BYTES: u64 = 4 * 1024;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The rules of one server.
pub(super) struct Access {
    token: Option<String>,
    /// The value of the cookie of those who have shown the token.
    session: String,
    cookie: String,
}

/// A request that is not answered, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) &'static str);

/// A request that is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    /// The cookie to set, for a browser that has shown the token in the URL.
    pub(super) cookie: Option<String>,
}

/// How a client has shown the token.
#[derive(PartialEq, Eq)]
enum Shown {
    Header,
    Url,
    Cookie,
    NotNeeded,
}

impl Access {
    pub(super) fn new(address: SocketAddr, token: Option<String>) -> Result<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if let Some(token) = &token
            && (token.len() < SHORTEST_TOKEN || !token.bytes().all(is_allowed))
        {
            return Err(Error::invalid_option(format!(
                "the token of the status page has {} characters: expected at least {SHORTEST_TOKEN} of A-Z a-z 0-9 - . _ ~",
                token.chars().count()
            )));
        }
        if token.is_none() && !address.ip().is_loopback() {
            return Err(Error::invalid_option(format!(
                "the status page would be open to other machines on '{address}': give it a token (--ui-token on the \
                 command line), or use an address such as '127.0.0.1:4040'"
            )));
        }
        Ok(Self {
            token,
            session: random()?,
            // Browsers send a cookie to all ports of a host.
            cookie: format!("kinesis_sql_ui_{}", address.port()),
        })
    }

    /// Checks a request.
    pub(super) fn check(&self, request: &Parts) -> std::result::Result<Granted, Refusal> {
        let headers = &request.headers;
        check_body(headers)?;
        let host = only(headers, &HOST)
            .filter(|host| !host.is_empty())
            .ok_or(Refusal(StatusCode::BAD_REQUEST, "expected one Host header"))?;
        let shown = match &self.token {
            // A site whose name resolves to this machine must not read the page (DNS rebinding).
            None if !is_loopback(host) => {
                return Err(Refusal(
                    StatusCode::FORBIDDEN,
                    "this host name is not served: open the page as 127.0.0.1 or localhost, or start the command with \
                     --ui-token",
                ));
            }
            None => Shown::NotNeeded,
            Some(token) => self.shown(token, request).ok_or(Refusal(
                StatusCode::UNAUTHORIZED,
                "expected the token of --ui-token: open the page with ?token=… once, or send Authorization: Bearer …",
            ))?,
        };
        // A header is never sent by another site's page.
        if !is_read(&request.method) && shown != Shown::Header && !is_same_origin(headers, host) {
            return Err(Refusal(
                StatusCode::FORBIDDEN,
                "the request does not come from this page: send the header Origin with the URL of the page, or \
                 Authorization with the token",
            ));
        }
        let session = || {
            let (name, value) = (&self.cookie, &self.session);
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict")
        };
        Ok(Granted {
            cookie: (shown == Shown::Url).then(session),
        })
    }

    fn shown(&self, token: &str, request: &Parts) -> Option<Shown> {
        let headers = &request.headers;
        if let Some(given) = only(headers, &AUTHORIZATION) {
            let (scheme, given) = given.split_once(' ')?;
            let is_right = scheme.eq_ignore_ascii_case("bearer") && equal(given.trim(), token);
            return is_right.then_some(Shown::Header);
        }
        let query = request.uri.query().unwrap_or_default();
        let mut given = parse(query.as_bytes());
        if let Some((_, given)) = given.find(|(name, _)| name == "token") {
            return equal(&given, token).then_some(Shown::Url);
        }
        let cookies = headers.get_all(COOKIE).iter();
        let cookies = cookies.filter_map(|cookies| cookies.to_str().ok());
        let mut cookies = cookies.flat_map(|cookies| cookies.split(';'));
        let is_session = |cookie: &str| match cookie.trim().split_once('=') {
            Some((name, value)) => name == self.cookie && equal(value, &self.session),
            None => false,
        };
        cookies.any(is_session).then_some(Shown::Cookie)
    }
}

/// Whether a request with this method changes nothing.
pub(super) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    match second {
        None => first?.to_str().ok(),
        Some(_) => None,
    }
}

fn check_body(headers: &HeaderMap) -> std::result::Result<(), Refusal> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal(
            StatusCode::LENGTH_REQUIRED,
            "expected no body, or one with Content-Length",
        ));
    }
    let length = headers.get(CONTENT_LENGTH);
    let length = length.map(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        None => Ok(()),
        Some(Some(length)) if length <= MAX_BODY_BYTES => Ok(()),
        Some(_) => Err(Refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "expected a body of at most 4 KiB",
        )),
    }
}

/// Compares in a time that does not depend on where the texts differ.
fn equal(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

/// Whether a Host header names this machine itself, with any port: the page may be reached through a tunnel.
fn is_loopback(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if !host.bytes().all(is_allowed) {
        return false;
    }
    let Ok(url) = Url::parse(&format!("http://{host}/")) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a browser says that the request comes from a page of this server.
fn is_same_origin(headers: &HeaderMap, host: &str) -> bool {
    let origin = headers.contains_key(ORIGIN).then(|| {
        let origin = only(headers, &ORIGIN).unwrap_or_default();
        let of_origin = origin.split_once("://").map(|(_, host)| host);
        of_origin.is_some_and(|of_origin| of_origin.eq_ignore_ascii_case(host))
    });
    let site = headers.contains_key(FETCH_SITE);
    let site = site.then(|| only(headers, &FETCH_SITE) == Some("same-origin"));
    match (origin, site) {
        (None, None) => false,
        (origin, site) => origin.unwrap_or(true) && site.unwrap_or(true),
    }
}

fn random() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let message = format!("the system has no random numbers for the status page: {error}");
        Error::new(ErrorKind::Unavailable, message)
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests;
