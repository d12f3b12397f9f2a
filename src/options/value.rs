//! Parsers of option values. Each returns the value, or a description of what was expected.

mod columns;

use std::fmt::Display;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

pub(super) use self::columns::columns;
use super::AvroSchemaSource;
use crate::model::{is_region, parse_duration};

/// A value, or a description of what was expected.
pub(super) type Parsed<T> = Result<T, String>;

/// A whole number within `range`.
pub(super) fn number<T>(text: &str, range: &RangeInclusive<T>) -> Parsed<T>
where
    T: FromStr + PartialOrd + Display,
{
    match text.trim().parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "expected a whole number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

/// A whole number of milliseconds within `range`.
pub(super) fn millis(text: &str, range: &RangeInclusive<u64>) -> Parsed<Duration> {
    number(text, range)
        .map(Duration::from_millis)
        .map_err(|expected| format!("{expected}, in milliseconds"))
}

/// A whole number of seconds within `range`.
pub(super) fn seconds(text: &str, range: &RangeInclusive<u64>) -> Parsed<Duration> {
    number(text, range)
        .map(Duration::from_secs)
        .map_err(|expected| format!("{expected}, in seconds"))
}

/// A whole number of bytes within `range`.
pub(super) fn bytes(text: &str, range: &RangeInclusive<u64>) -> Parsed<usize> {
    number(text, range)
        .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
        .map_err(|expected| format!("{expected}, in bytes"))
}

/// A duration with a unit, within `range`.
pub(super) fn span(text: &str, range: &RangeInclusive<Duration>) -> Parsed<Duration> {
    let span = parse_duration(text).filter(|span| range.contains(span));
    span.ok_or_else(|| {
        format!(
            "expected a duration with a unit, such as '50s', '100ms' or '2 minutes', from {:?} to {:?}",
            range.start(),
            range.end()
        )
    })
}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected 'true' or 'false'".to_owned()),
    }
}

/// Text that is not blank.
pub(super) fn text(text: &str) -> Parsed<String> {
    match text.trim() {
        "" => Err("expected a value that is not empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// One of `choices`, ignoring case.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Parsed<T> {
    let wanted = text.trim();
    let found = choices
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<String> = choices
            .iter()
            .map(|(name, _)| format!("'{name}'"))
            .collect();
        format!("expected {}", names.join(" or "))
    })
}

/// An `http://` or `https://` URL with a host and without a query. `service` is the service in the
/// example of the error message.
pub(crate) fn endpoint_url(text: &str, service: &str) -> Parsed<String> {
    http_url(text, &format!("https://{service}.eu-west-1.amazonaws.com"))
}

/// An HTTP URL with neither user nor query. `example` is one for the message.
pub(super) fn http_url(text: &str, example: &str) -> Parsed<String> {
    let url = text.trim();
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        // The SDK ignores a query but logs it, including any signature in it.
        .filter(|rest| !rest.contains(['?', '#']))
        .map(|rest| rest.split('/').next().unwrap_or(""));
    let well_formed = host.is_some_and(|host| {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
            _ => (host, None),
        };
        !name.is_empty()
            && !name.contains(|c: char| c.is_whitespace() || c == '@')
            && port.is_none_or(|port| port.parse::<u16>().is_ok())
    });
    if well_formed {
        Ok(url.to_owned())
    } else {
        Err(format!("expected a URL such as '{example}'"))
    }
}

/// Whether the host of a URL has a user before it.
pub(super) fn has_user(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .contains('@')
}

/// The host of a proxy. Returns it with its scheme, by default `http`.
pub(super) fn proxy_address(text: &str) -> Parsed<String> {
    let text = text.trim().trim_end_matches('/');
    let (scheme, host) = text.split_once("://").unwrap_or(("http", text));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let well_formed = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(allowed),
    };
    match well_formed && matches!(scheme, "http" | "https") {
        true => Ok(format!("{scheme}://{host}")),
        false => Err(
            "expected the host of a proxy such as 'proxy.corp' or 'http://proxy.corp'; set its port with \
             'kinesis.sink.proxyPort'"
                .to_owned(),
        ),
    }
}

/// The name of a region.
pub(super) fn region(text: &str) -> Parsed<String> {
    let region = text.trim();
    match is_region(region) {
        true => Ok(region.to_owned()),
        false => Err("expected a region such as 'eu-west-1'".to_owned()),
    }
}

/// Role ARNs, separated by commas. Role names may also contain commas.
pub(super) fn roles(text: &str) -> Parsed<Vec<String>> {
    let mut roles: Vec<String> = Vec::new();
    for part in text.split(',') {
        match roles.last_mut() {
            Some(role) if !part.trim_start().starts_with("arn:") => {
                role.push(',');
                role.push_str(part);
            }
            _ => roles.push(part.trim_start().to_owned()),
        }
    }
    for role in &mut roles {
        role.truncate(role.trim_end().len());
    }
    match roles.iter().all(|role| is_role(role)) {
        true => Ok(roles),
        false => Err(
            "expected the ARN of a role such as 'arn:aws:iam::111122223333:role/reader', or several of them, \
             separated by commas"
                .to_owned(),
        ),
    }
}

/// Whether `arn` is `arn:<partition>:iam::<account>:role/<path and name>` (IAM User Guide, "IAM
/// identifiers").
fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return false;
    };
    let allowed = |c: char| c.is_ascii_graphic();
    partition.starts_with("aws")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| {
            !name.is_empty() && !name.ends_with(',') && name.chars().all(allowed)
        })
}

/// A role session name (STS API reference, AssumeRole, `RoleSessionName`).
pub(super) fn session_name(text: &str) -> Parsed<String> {
    let name = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    match (2..=64).contains(&name.len()) && name.chars().all(allowed) {
        true => Ok(name.to_owned()),
        false => Err("expected 2 to 64 letters, digits and '_+=,.@-'".to_owned()),
    }
}

/// The external id of a role (STS API reference, AssumeRole, `ExternalId`).
pub(super) fn external_id(text: &str) -> Parsed<String> {
    let id = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    match (2..=1_224).contains(&id.len()) && id.chars().all(allowed) {
        true => Ok(id.to_owned()),
        false => Err("expected 2 to 1224 letters, digits and '_+=,.@:/-'".to_owned()),
    }
}

/// The name of a DynamoDB table (API reference, CreateTable, `TableName`).
pub(crate) fn table_name(text: &str) -> Parsed<String> {
    let name = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(name.to_owned());
    }
    Err(
        "expected the name of a DynamoDB table: 3 to 255 letters, digits, '_', '-' and '.'"
            .to_owned(),
    )
}

/// A path of field names from the root of a JSON document, such as `$.logEvents`.
pub(super) fn json_path(text: &str) -> Parsed<Vec<String>> {
    let expected = || "expected a path of field names, such as `$.logEvents` or `$.a.b`".to_owned();
    let path = text.trim().strip_prefix("$.").ok_or_else(expected)?;
    let names: Vec<String> = path.split('.').map(str::to_owned).collect();
    let is_name = |name: &String| !name.is_empty() && !name.contains(['[', ']', '*']);
    names
        .iter()
        .all(is_name)
        .then_some(names)
        .ok_or_else(expected)
}

/// An Avro schema: its JSON, or the path or `file://` URL of a file that has it.
pub(super) fn avro_schema(text: &str) -> Parsed<AvroSchemaSource> {
    let text = text.trim();
    let expected = || "expected the JSON of an Avro schema, or the path of a file that has it";
    if text.starts_with(['{', '[', '"']) {
        return Ok(AvroSchemaSource::Text(text.to_owned()));
    }
    let path = match text.split_once("://") {
        None if text.is_empty() => return Err(expected().to_owned()),
        None => return Ok(AvroSchemaSource::File(text.into())),
        Some(_) => Url::parse(text).ok().filter(|url| url.scheme() == "file"),
    };
    let path = path.and_then(|url| url.to_file_path().ok());
    path.map(AvroSchemaSource::File)
        .ok_or_else(|| expected().to_owned())
}

/// Any text on one line, also none.
pub(super) fn line(text: &str) -> Parsed<String> {
    match text.contains(['\n', '\r']) {
        false => Ok(text.to_owned()),
        true => Err("expected text without line breaks".to_owned()),
    }
}

/// One ASCII character; `\t` is a tab.
pub(super) fn ascii(text: &str) -> Parsed<u8> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => Err("expected one ASCII character, or `\\t` for a tab".to_owned()),
    }
}

/// A storage location: an absolute path, or a URL without a password. The code that opens it
/// decides which URL schemes are supported.
///
/// # Errors
/// What was expected. The message never contains the text, which may hold a secret.
pub(crate) fn location(text: &str) -> Parsed<String> {
    let text = text.trim();
    let well_formed = match text.split_once("://") {
        None => text.starts_with('/'),
        Some((scheme, rest)) => {
            let authority = rest.split('/').next().unwrap_or("");
            // A name before `@` without a password is the container in an Azure URL.
            let password = authority
                .rsplit_once('@')
                .is_some_and(|(user, _)| user.contains(':'));
            // A query may contain a signature.
            let query = rest.contains('?');
            if scheme.eq_ignore_ascii_case("file") && rest.contains('\\') {
                return Err(
                    "expected no backslash, which a file:// URL treats as a path separator (%5C in a name)"
                        .to_owned(),
                );
            }
            let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '+');
            named && !rest.is_empty() && !password && !query
        }
    };
    if well_formed {
        return Ok(text.to_owned());
    }
    Err(
        "expected an absolute path or a URL such as 'file:///var/lib/counts' or 's3://bucket/counts', \
         without user name, password or query"
            .to_owned(),
    )
}

/// Whether a value that should not contain a secret may contain one: a password before an `@`, or a
/// signature after a `?`.
pub(crate) fn may_hold_secret(text: &str) -> bool {
    text.contains(['@', '?'])
}

/// The name in `names` with the smallest edit distance to `name`.
pub(crate) fn nearest(name: &str, names: impl Iterator<Item = &'static str>) -> &'static str {
    let name = name.to_ascii_lowercase();
    let distance = |known: &&str| strsim::levenshtein(&known.to_ascii_lowercase(), &name);
    names.min_by_key(distance).unwrap_or("")
}
