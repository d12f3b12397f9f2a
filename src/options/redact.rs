//! Keeps credentials out of output, logs and the shell history.
//!
//! Works on characters rather than tokens, so that a statement with a missing quote is also safe to
//! print.

mod characters;
mod locations;

use std::ops::Range;
use std::sync::LazyLock;

use self::characters::{is_name_char, is_quote, skip_blank, value_len};
use self::locations::secret_locations;
use super::all;
use super::replace_word::replace_word;

/// Lower-case names of options and settings with a secret value. Statements may prefix them, as in `kinesis.`.
static SECRET_OPTIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let secret = all().filter(|option| option.secret);
    let names = secret.map(|option| option.name.rsplit('.').next().unwrap_or(option.name));
    let mut names: Vec<_> = names.map(str::to_ascii_lowercase).collect();
    // The path of many webhooks is a secret.
    names.push("alarm_webhook".to_owned());
    names.sort_unstable();
    names.dedup();
    names
});

/// Options and settings whose value is secret if it contains credentials: before an `@` or after a
/// `?`.
const URL_OPTIONS: [&str; 5] = [
    "endpointurl",
    "schemaregistry.url",
    "checkpoint_location",
    "metadatapath",
    "proxyaddress",
];

/// Substrings of names that keep a statement out of the history. They are broader than the names
/// above, to cover options of other tables.
#[cfg(feature = "cli")]
const SECRET_WORDS: [&str; 7] = [
    "secret",
    "password",
    "token",
    "accesskey",
    "externalid",
    "providerparam",
    "webhook",
];

const MASK: &str = "***";

/// The statement with the values of secret options masked, and locations of files with credentials.
pub(crate) fn statement(sql: &str) -> String {
    let mut redacted = String::with_capacity(sql.len());
    let mut end = 0;
    for value in secret_values(sql) {
        redacted.push_str(&sql[end..value.start]);
        redacted.push_str("'***'");
        end = value.end;
    }
    redacted.push_str(&sql[end..]);
    redacted
}

/// Removes all secret values of `sql` from a message about it.
#[cfg(feature = "cli")]
pub(crate) fn message(message: &str, sql: &str) -> String {
    let mut message = message.to_owned();
    for range in secret_values(sql) {
        let written = sql[range].trim();
        let bare = written.trim_matches(is_quote);
        for secret in [written, bare, &bare.replace("''", "'")] {
            message = mask_word(&message, secret);
        }
        // The default of an environment variable, `${NAME:-default}`.
        let defaults = bare.split("${").skip(1);
        let defaults = defaults.filter_map(|variable| variable.split_once(":-")?.1.split_once('}'));
        for (default, _) in defaults {
            message = mask_word(&message, default);
        }
        // A message may quote part of a URL, or another spelling of it.
        for (before, _) in [bare.split_once('@'), bare.rsplit_once('@')]
            .into_iter()
            .flatten()
        {
            let user = before.split_once("://").map_or(before, |(_, user)| user);
            let password = user.split_once(':').map_or("", |(_, password)| password);
            for secret in [user, password] {
                message = mask_word(&message, secret);
            }
        }
        if let Some((_, query)) = bare.split_once('?') {
            message = mask_word(&message, query);
            let values = query
                .split(['&', '#'])
                .filter_map(|pair| pair.split_once('='));
            for (_, value) in values {
                message = mask_word(&message, value);
            }
        }
    }
    message
}

/// Whether a statement may contain credentials and must stay out of the history. Errs on the safe
/// side.
#[cfg(feature = "cli")]
pub(crate) fn holds_credentials(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| lower.contains(word))
        || URL_OPTIONS.iter().any(|name| lower.contains(name)) && has_secret(&lower)
        || !secret_locations(sql, &lower).is_empty()
}

/// Whether a URL in `text` contains a user or a query string. The user of an Azure location is a
/// container, which is secret only with a password.
fn has_secret(text: &str) -> bool {
    let mut users = text.match_indices('@');
    text.contains('?')
        || users.any(|(at, _)| {
            let start = text[..at].rfind(|c: char| c.is_whitespace() || is_quote(c));
            let before = &text[start.map_or(0, |start| start + 1)..at];
            match before.split_once("://") {
                Some((scheme, user)) => !scheme.starts_with("abfs") || user.contains(':'),
                None => true,
            }
        })
}

/// Masks `word` where it is a whole word, so that a short value does not damage other words of the
/// message.
pub(crate) fn mask_word(text: &str, word: &str) -> String {
    replace_word(text, word, MASK)
}

/// The ranges of secret values, including quotes.
fn secret_values(sql: &str) -> Vec<Range<usize>> {
    // ASCII lower-casing keeps byte offsets.
    let lower = sql.to_ascii_lowercase();
    let mut values = secret_options(sql, &lower);
    values.extend(secret_locations(sql, &lower));
    values.sort_by_key(|value| value.start);
    let mut end = 0;
    values.retain(|value| {
        let is_new = value.start >= end;
        end = end.max(value.end);
        is_new
    });
    values
}

/// The ranges of secret option values, including quotes.
fn secret_options(sql: &str, lower: &str) -> Vec<Range<usize>> {
    let mut values: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while let Some((name_end, name)) = SECRET_OPTIONS
        .iter()
        .map(String::as_str)
        .chain(URL_OPTIONS)
        .filter_map(|name| Some((lower[from..].find(name)? + from + name.len(), name)))
        .min()
    {
        from = name_end;
        if lower[name_end..].starts_with(is_name_char) {
            continue;
        }
        // In most statements a bare name is a column; a quoted name always counts as an option.
        let bare = !sql[name_end..].starts_with(is_quote);
        if bare && !lower[..name_end].contains("option") && !lower.starts_with("set") {
            continue;
        }
        if let Some(value) = value_after(sql, name_end)
            && (!URL_OPTIONS.contains(&name) || has_secret(&lower[value.clone()]))
        {
            from = value.end;
            values.push(value);
        }
    }
    values
}

/// The value of the option whose name ends at `name_end`.
fn value_after(sql: &str, name_end: usize) -> Option<Range<usize>> {
    let rest = &sql[name_end..];
    let rest = rest.strip_prefix(is_quote).unwrap_or(rest);
    let rest = skip_blank(rest, "=:>,");
    let start = sql.len() - rest.len();
    let end = start + value_len(rest);
    (end > start).then_some(start..end)
}

#[cfg(all(test, feature = "cli"))]
mod tests;
