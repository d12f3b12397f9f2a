//! Keeps credentials out of what is printed and remembered.
//!
//! It looks at characters and not at tokens: a statement with a forgotten quote has to be safe to print too.

use std::ops::Range;
use std::sync::LazyLock;

use crate::options::all;

/// Names of options with a secret value, in lower case; a prefix such as `kinesis.` may stand before them.
static SECRET_OPTIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let secret = all().filter(|option| option.secret);
    let names = secret.map(|option| option.name.rsplit('.').next().unwrap_or(option.name));
    let mut names: Vec<_> = names.map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// Options and settings whose value is secret where credentials stand in it: before an `@`, or behind a `?`.
const URL_OPTIONS: [&str; 4] = [
    "endpointurl",
    "checkpoint_location",
    "metadatapath",
    "proxyaddress",
];

/// Parts of names that mark a statement as none for the history; wider than the above, for options of other tables.
const SECRET_WORDS: [&str; 6] = [
    "secret",
    "password",
    "token",
    "accesskey",
    "externalid",
    "providerparam",
];

const MASK: &str = "***";

/// The statement with the values of secret options masked.
pub(super) fn statement(sql: &str) -> String {
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

/// A message about `sql` in which no secret value of it is left.
pub(super) fn message(message: &str, sql: &str) -> String {
    let mut message = message.to_owned();
    for range in secret_values(sql) {
        let written = sql[range].trim();
        let bare = written.trim_matches(is_quote);
        for secret in [written, bare, &bare.replace("''", "'")] {
            message = mask_word(&message, secret);
        }
        // Of a URL a message may quote a part, or another spelling.
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
    }
    message
}

/// Whether a statement may hold credentials and so must not be remembered; rather once too often.
pub(super) fn holds_credentials(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| sql.contains(word))
        || URL_OPTIONS.iter().any(|name| sql.contains(name)) && has_secret(&sql)
}

/// Whether a URL in `text` names a user or asks for something. The user of an Azure location is a container, and no
/// secret without a password.
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

/// Replaces `word` where it stands alone, so that a short value does not eat into the words of a message.
fn mask_word(text: &str, word: &str) -> String {
    if word.is_empty() {
        return text.to_owned();
    }
    let mut masked = String::with_capacity(text.len());
    let mut end = 0;
    for (start, _) in text.match_indices(word) {
        let after = start + word.len();
        let joined = text[..start].ends_with(char::is_alphanumeric)
            || text[after..].starts_with(char::is_alphanumeric);
        if !joined {
            masked.push_str(&text[end..start]);
            masked.push_str(MASK);
            end = after;
        }
    }
    masked.push_str(&text[end..]);
    masked
}

/// The places of the values of secret options, quotes included.
fn secret_values(sql: &str) -> Vec<Range<usize>> {
    // Lower-casing ASCII only keeps the offsets.
    let lower = sql.to_ascii_lowercase();
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
        // A bare name is a column in most statements; a quoted one is always taken for an option.
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

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | '`')
}

/// The value that follows the name of an option which ends at `name_end`.
fn value_after(sql: &str, name_end: usize) -> Option<Range<usize>> {
    let rest = &sql[name_end..];
    let rest = rest.strip_prefix(is_quote).unwrap_or(rest);
    let rest = skip_blank(rest);
    let start = sql.len() - rest.len();
    let end = start + value_len(rest);
    (end > start).then_some(start..end)
}

/// What follows white space, comments and signs such as `=`.
fn skip_blank(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || "=:>,".contains(c));
        text = if text.starts_with("--") {
            text.find('\n').map_or("", |end| &text[end..])
        } else if text.starts_with("/*") {
            text.find("*/").map_or("", |end| &text[end + 2..])
        } else {
            return text;
        };
    }
}

/// The length of a word, of a quoted string with the letters before it (`E'…'`), or of a dollar-quoted one.
fn value_len(text: &str) -> usize {
    let word = text
        .find(|c: char| c.is_whitespace() || is_quote(c) || matches!(c, ',' | ')' | ';'))
        .unwrap_or(text.len());
    if let Some(tag) = text.strip_prefix('$').and_then(|t| t.split('$').next())
        && let delimiter = format!("${tag}$")
        && text.starts_with(&delimiter)
    {
        let body = &text[delimiter.len()..];
        return body
            .find(&delimiter)
            .map_or(text.len(), |at| at + 2 * delimiter.len());
    }
    match text[word..].chars().next().filter(|c| is_quote(*c)) {
        Some(quote) => word + quoted_len(&text[word..], quote, text.starts_with(['e', 'E'])),
        None => word,
    }
}

/// The length of a quoted string; one that is never closed goes to the end.
fn quoted_len(text: &str, quote: char, backslashes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && backslashes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
