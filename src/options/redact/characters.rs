//! Finds values in the characters of a statement.

pub(super) fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | '`')
}

/// Skips white space, comments and `separators`.
pub(super) fn skip_blank<'a>(mut text: &'a str, separators: &str) -> &'a str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || separators.contains(c));
        text = if text.starts_with("--") {
            text.find('\n').map_or("", |end| &text[end..])
        } else if text.starts_with("/*") {
            text.find("*/").map_or("", |end| &text[end + 2..])
        } else {
            return text;
        };
    }
}

/// The length of a word, of a quoted string with its prefix (`E'…'`), or of a dollar-quoted string.
pub(super) fn value_len(text: &str) -> usize {
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

/// The length of a quoted string; an unterminated one extends to the end.
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
