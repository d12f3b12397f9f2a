//! Whether two starts of a query run the same statement, and the words where they do not.

use std::fmt;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::checkpoint::QueryText;
use crate::error::{Error, ErrorKind};

/// How many characters of a statement a message shows.
const SHOWN: usize = 1_000;

/// How many characters a message shows in front of the place where two long statements part.
const SHOWN_BEFORE: usize = 100;

/// Whether both write to the same place by the same statement. Comments, white space and the case of
/// words do not count. A statement that is not known is no other one.
pub(in crate::query) fn is_same_query(one: &QueryText, other: &QueryText) -> bool {
    let same_statement = match (&one.statement, &other.statement) {
        (Some(one), Some(other)) => same_statement(one, other),
        _ => true,
    };
    one.sink == other.sink && same_statement
}

/// Whether two texts are one statement: comments, white space and the case of words do not count.
pub(crate) fn same_statement(one: &str, other: &str) -> bool {
    one == other || tokens(one) == tokens(other)
}

/// The tokens of a statement that say what it does; its text where it has none.
fn tokens(statement: &str) -> Vec<Token> {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, statement).tokenize() else {
        return vec![Token::SingleQuotedString(statement.to_owned())];
    };
    let meant = tokens.into_iter().filter_map(|token| match token {
        Token::Whitespace(_) | Token::SemiColon => None,
        Token::Word(mut word) => {
            if word.quote_style.is_none() {
                word.value = word.value.to_lowercase();
            }
            Some(Token::Word(word))
        }
        token => Some(token),
    });
    meant.collect()
}

/// The refusal of a query at a checkpoint of another one.
pub(in crate::query) fn refuse_changed(location: &str, was: &QueryText, now: &QueryText) -> Error {
    let (was, now) = (Shown(was, now), Shown(now, was));
    Error::new(
        ErrorKind::Checkpoint,
        format!(
            "checkpoint '{location}' belongs to another query:\n  was: {was}\n  now: {now}\n\
             This one would go on where that one stopped, and skip all records before. Give it a checkpoint \
             location of its own. If it replaces that one on purpose, say so for one start: SET \
             streaming.accept_changed_query = 'true' before the statement, or accept_changed_query() in code"
        ),
    )
}

/// The refusal of a second query of one session at the checkpoint of the first.
pub(in crate::query) fn refuse_second(
    location: &str,
    first: &QueryText,
    second: &QueryText,
) -> Error {
    let (first, second) = (Shown(first, second), Shown(second, first));
    Error::new(
        ErrorKind::Checkpoint,
        format!(
            "checkpoint '{location}' is that of another query of this session:\n  first: {first}\n  \
             now:   {second}\n\
             This one would go on where that one stopped, and skip all records before. Give each query a \
             checkpoint location of its own, with SET streaming.checkpoint_location before its statement"
        ),
    )
}

/// A query in a message; of a long statement the part where it parts from another one.
struct Shown<'a>(&'a QueryText, &'a QueryText);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(query, other) = self;
        match &query.statement {
            Some(statement) => {
                let other = one_line(other.statement.as_deref().unwrap_or_default());
                f.write_str(&excerpt(&one_line(statement), &other))?;
            }
            None => f.write_str("a statement that is not known")?,
        }
        write!(f, " (writes to {})", query.sink)
    }
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn excerpt(text: &str, other: &str) -> String {
    let length = text.chars().count();
    if length <= SHOWN {
        return text.to_owned();
    }
    let common = text.chars().zip(other.chars());
    let common = common.take_while(|(one, other)| one == other).count();
    let start = common.saturating_sub(SHOWN_BEFORE).min(length - SHOWN);
    let part: String = text.chars().skip(start).take(SHOWN).collect();
    let before = if start > 0 { "…" } else { "" };
    let behind = if start + SHOWN < length { "…" } else { "" };
    format!("{before}{part}{behind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(sink: &str, statement: Option<&str>) -> QueryText {
        QueryText {
            sink: sink.to_owned(),
            statement: statement.map(str::to_owned),
        }
    }

    #[test]
    fn layout_comments_and_case_make_no_other_statement() {
        let one = query("Rows", Some("SELECT data FROM words WHERE data <> 'x'"));
        for same in [
            "  select DATA\n  from words -- of the stream\n  where data <> 'x' ;\n",
            "SELECT /* all */ data FROM words WHERE data<>'x'",
        ] {
            assert!(is_same_query(&one, &query("Rows", Some(same))), "{same}");
        }
        for other in [
            "SELECT data FROM words WHERE data <> 'X'",
            "SELECT \"DATA\" FROM words WHERE data <> 'x'",
            "SELECT data FROM words",
            "SELECT data FROM words WHERE data <> 'x",
        ] {
            assert!(!is_same_query(&one, &query("Rows", Some(other))), "{other}");
        }
    }

    #[test]
    fn another_sink_is_another_query_and_an_unknown_statement_is_not() {
        let one = query("KinesisSink[a]", Some("SELECT 1"));
        assert!(is_same_query(&one, &query("KinesisSink[a]", None)));
        assert!(!is_same_query(&one, &query("KinesisSink[b]", None)));
        assert!(!is_same_query(
            &one,
            &query("KinesisSink[b]", Some("SELECT 1"))
        ));
    }

    #[test]
    fn of_long_statements_the_place_where_they_part_is_shown() {
        let long = |end: &str| format!("SELECT '{}' {end}", "x".repeat(5_000));
        let (was, now) = (long("FROM a"), long("FROM b"));
        let error = refuse_changed(
            "memory://long",
            &query("Rows", Some(&was)),
            &query("Rows", Some(&now)),
        );
        let message = error.to_string();
        assert!(message.contains("x' FROM a (writes to Rows)"), "{message}");
        assert!(message.contains("x' FROM b (writes to Rows)"), "{message}");
        assert!(message.len() < 3_000, "{}", message.len());
    }
}
