//! How values are spelled: each parser gives the value, or says what it expected.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A value, or what was expected instead.
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
        "" => Err("expected a text that is not empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// One of `choices`, without regard to case.
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

/// `http://…` or `https://…` with a host.
pub(super) fn url(text: &str) -> Parsed<String> {
    let url = text.trim();
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
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
        Err("expected a URL such as 'https://kinesis.eu-west-1.amazonaws.com'".to_owned())
    }
}

/// Names of `choices` separated by commas, each once.
pub(super) fn list<T: Copy + PartialEq>(text: &str, choices: &[(&str, T)]) -> Parsed<Vec<T>> {
    let mut values = Vec::new();
    for name in text.split(',') {
        let value = choice(name, choices)
            .map_err(|expected| format!("{expected}, several of them separated by commas"))?;
        if values.contains(&value) {
            return Err(format!("'{}' stands there twice", name.trim()));
        }
        values.push(value);
    }
    Ok(values)
}
