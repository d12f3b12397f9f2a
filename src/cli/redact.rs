//! Keeps credentials out of what is printed and remembered.
//!
//! It looks at characters and not at tokens: a statement with a forgotten quote has to be safe to print too.

use std::ops::Range;

/// Names of options with a secret value, in lower case; a prefix such as `kinesis.` may stand before them.
const SECRET_OPTIONS: [&str; 3] = ["awssecretkey", "sessiontoken", "awsaccesskeyid"];

/// An option whose value is secret where a user and a password may stand in it, before an `@`.
const URL_OPTION: &str = "endpointurl";

/// Parts of names that mark a statement as none for the history; wider than the above, for options of other tables.
const SECRET_WORDS: [&str; 3] = ["secret", "token", "accesskey"];

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
        || (sql.contains(URL_OPTION) && sql.contains('@'))
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
        .into_iter()
        .chain([URL_OPTION])
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
            && (name != URL_OPTION || sql[value.clone()].contains('@'))
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
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_options_are_masked_and_others_stay() {
        assert_eq!(
            statement(
                "CREATE EXTERNAL TABLE t STORED AS KINESIS LOCATION 's' OPTIONS (\n  'kinesis.awsAccessKeyId' 'AKIAXYZ',\n  'kinesis.awsSecretKey' 'abc/+def',\n  'kinesis.sessionToken' 'tok', 'kinesis.region' 'eu-west-1')"
            ),
            "CREATE EXTERNAL TABLE t STORED AS KINESIS LOCATION 's' OPTIONS (\n  'kinesis.awsAccessKeyId' '***',\n  'kinesis.awsSecretKey' '***',\n  'kinesis.sessionToken' '***', 'kinesis.region' 'eu-west-1')"
        );
    }

    #[test]
    fn every_spelling_of_the_pair_is_masked() {
        for pair in [
            "'kinesis.awssecretkey'   'hidden'",
            "'KINESIS.AWSSECRETKEY'\n\t'hidden'",
            "'kinesis.awsSecretKey''hidden'",
            "'kinesis.awsSecretKey'/* key */'hidden'",
            "'kinesis.awsSecretKey' -- 'key'\n 'hidden'",
            "kinesis.awsSecretKey 'hidden'",
            "kinesis . awsSecretKey hidden",
            "\"kinesis.awsSecretKey\" \"hidden\"",
            "`awsSecretKey` = 'hidden'",
            "awsSecretKey => hidden",
            "'kinesis.awsSecretKey', 'hidden'",
            "'kinesis.sink.awsSecretKey' 'hid''hidden'",
            "'kinesis.awsSecretKey' E'hid\\'hidden'",
            "'kinesis.awsSecretKey' $$hidden, x$$",
            "'kinesis.awsSecretKey' $a$hidden$a$",
            "'kinesis.awsSecretKey' 'hidden and never closed",
            "SET kinesis.awsSecretKey = 'hidden'",
        ] {
            let sql = match pair.starts_with("SET") {
                true => pair.to_owned(),
                false => format!("OPTIONS ({pair}"),
            };
            let redacted = statement(&sql);
            assert!(redacted.ends_with("'***'"), "{pair}: {redacted}");
            assert!(!redacted.contains("hid"), "{pair}: {redacted}");
        }
    }

    #[test]
    fn a_forgotten_quote_before_it_hides_nothing_less() {
        let redacted = statement("LOCATION 's OPTIONS ('kinesis.awsSecretKey' 'hidden')");
        assert_eq!(
            redacted,
            "LOCATION 's OPTIONS ('kinesis.awsSecretKey' '***')"
        );
    }

    #[test]
    fn names_that_only_begin_like_a_secret_are_left_alone() {
        for sql in [
            "OPTIONS ('sessionTokenDuration' '15 min')",
            "SELECT sessiontokens FROM t",
            "SELECT sessionToken FROM t",
            "SELECT 1",
            "OPTIONS ('kinesis.awsSecretKey'",
        ] {
            assert_eq!(statement(sql), sql);
        }
    }

    #[test]
    fn a_message_that_quotes_the_value_is_masked_too() {
        let sql = "OPTIONS ('kinesis.awsSecretKey' 'ab''cd', 'sessionToken' tok)";
        assert_eq!(
            message(
                "expected ), found: 'ab''cd' or ab'cd at tok, not token",
                sql
            ),
            "expected ), found: *** or *** at ***, not token"
        );
    }

    #[test]
    fn a_url_is_masked_where_a_password_may_be_in_it() {
        assert_eq!(
            statement("OPTIONS ('kinesis.endpointUrl' 'http://me:hunter2@host:1/', 'a' 'b')"),
            "OPTIONS ('kinesis.endpointUrl' '***', 'a' 'b')"
        );
        let plain = "OPTIONS ('kinesis.endpointUrl' 'http://host:1', 'to' 'me@home')";
        assert_eq!(statement(plain), plain);
    }

    #[test]
    fn a_message_that_quotes_a_part_of_a_url_is_masked_too() {
        let sql = "OPTIONS ('KINESIS.ENDPOINTURL' = 'http://me:hunter2@host:1')";
        assert_eq!(
            message(
                "cannot reach http://me:hunter2@host:1/ (user me:hunter2, password hunter2)",
                sql
            ),
            "cannot reach ***/ (user ***, password ***)"
        );
        let sql = "OPTIONS ('kinesis.endpointUrl' 'http://me:hunter2@host/a@b')";
        assert_eq!(message("user me:hunter2 of host", sql), "user *** of host");
    }

    #[test]
    fn statements_with_credentials_are_known() {
        assert!(holds_credentials(
            "OPTIONS ('kinesis.endpointUrl' 'http://me:pw@host')"
        ));
        assert!(!holds_credentials(
            "OPTIONS ('kinesis.endpointUrl' 'http://host')"
        ));
        assert!(holds_credentials("OPTIONS ('kinesis.awsSecretKey' 'x')"));
        assert!(holds_credentials("OPTIONS ('KINESIS.SESSIONTOKEN' 'x')"));
        assert!(holds_credentials("option 'aws_AccessKey_id' 'x'"));
        assert!(!holds_credentials("SELECT data FROM words"));
    }
}
