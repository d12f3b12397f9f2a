//! Compares the statements of two starts of a query, and refuses a changed one.

use std::fmt;

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::checkpoint::QueryText;
use crate::error::{Error, ErrorKind};
use crate::query::plan::{differ_in_aliases_only, is_plan_text};
use crate::sql::{hash_of_values, logical_plan};

/// How many characters of a statement a message shows.
const MAX_SHOWN: usize = 1_000;

/// How many characters a message shows before the first difference of two long statements.
const SHOWN_BEFORE: usize = 100;

/// Whether both queries run the same statement and write to the same sink. An unknown statement equals any
/// other.
pub(super) fn is_same_query(one: &QueryText, other: &QueryText) -> bool {
    let same_statement = match (&one.statement, &other.statement) {
        (Some(one), Some(other)) => same_statement(one, other),
        _ => true,
    };
    one.sink == other.sink && same_statement
}

/// Whether `current`, which is planned as `plan`, is the query `was`: the same statement to the same sink, or
/// one that differs only in the aliases inside it. To compare aliases, the earlier statement is planned with
/// the tables of this session; if it cannot be, it counts as another one. So does a statement set with other
/// aliases, which has no `plan`.
pub(super) async fn continues(
    ctx: &SessionContext,
    was: &QueryText,
    current: &QueryText,
    plan: Option<&LogicalPlan>,
) -> bool {
    if is_same_query(was, current) {
        return true;
    }
    let (Some(before), Some(now), Some(plan)) = (&was.statement, &current.statement, plan) else {
        return false;
    };
    let same_values = hash_of_values(before) == hash_of_values(now);
    if was.sink != current.sink || !same_values || is_plan_text(before) || is_plan_text(now) {
        return false;
    }
    let before = logical_plan(ctx, before).await;
    before.is_ok_and(|before| differ_in_aliases_only(&before, plan))
}

/// Whether two texts are the same statement. Comments, white space and the case of unquoted words are
/// ignored, but not the hash of the values of variables. The texts of plans are compared exactly: the names in
/// them are not quoted, so case counts.
pub(crate) fn same_statement(one: &str, other: &str) -> bool {
    let is_plan = is_plan_text(one) || is_plan_text(other);
    one == other
        || (!is_plan
            && hash_of_values(one) == hash_of_values(other)
            && tokens(one) == tokens(other))
}

/// The significant tokens of a statement; its text if it cannot be tokenized.
fn tokens(statement: &str) -> Vec<Token> {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, statement).tokenize() else {
        return vec![Token::SingleQuotedString(statement.to_owned())];
    };
    let significant = tokens.into_iter().filter_map(|token| match token {
        Token::Whitespace(_) | Token::SemiColon => None,
        Token::Word(mut word) => {
            if word.quote_style.is_none() {
                word.value = word.value.to_lowercase();
            }
            Some(Token::Word(word))
        }
        token => Some(token),
    });
    significant.collect()
}

/// The error for a query that is started at the checkpoint of another one.
pub(super) fn refuse_changed(location: &str, was: &QueryText, now: &QueryText) -> Error {
    let cause = changed_values(was, now);
    let (was, now) = (Shown(was, now), Shown(now, was));
    Error::new(
        ErrorKind::Checkpoint,
        format!(
            "checkpoint '{location}' belongs to another query:\n  was: {was}\n  now: {now}\n{cause}\
             This query would continue where the other one stopped, and skip all records before that. Give it \
             a checkpoint location of its own. If it is meant to replace the other query, accept the change \
             for one start: SET streaming.accept_changed_query = 'true' before the statement, or \
             accept_changed_query() in code"
        ),
    )
}

/// What to say if the statements differ only in the values of their variables.
fn changed_values(was: &QueryText, now: &QueryText) -> &'static str {
    match (&was.statement, &now.statement) {
        (Some(was), Some(now)) if tokens(was) == tokens(now) && !same_statement(was, now) => {
            "The values of its environment variables are not those of the earlier start. "
        }
        _ => "",
    }
}

/// The error for a second query of a session that is started at the checkpoint of the first.
pub(super) fn refuse_second(location: &str, first: &QueryText, second: &QueryText) -> Error {
    let (first, second) = (Shown(first, second), Shown(second, first));
    Error::new(
        ErrorKind::Checkpoint,
        format!(
            "checkpoint '{location}' belongs to another query of this session:\n  first: {first}\n  \
             now:   {second}\n\
             This query would continue where the other one stopped, and skip all records before that. Give \
             each query a checkpoint location of its own, with SET streaming.checkpoint_location before its \
             statement, or a name of its own, with SET streaming.query_name"
        ),
    )
}

/// A query in a message. Of a long statement only the part around the first difference from another one is
/// shown.
struct Shown<'a>(&'a QueryText, &'a QueryText);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(query, other) = self;
        match &query.statement {
            Some(statement) => {
                let other = one_line(other.statement.as_deref().unwrap_or_default());
                f.write_str(&excerpt(&one_line(statement), &other))?;
            }
            None => f.write_str("an unknown statement")?,
        }
        write!(f, " (writes to {})", query.sink)
    }
}

fn one_line(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn excerpt(text: &str, other: &str) -> String {
    let length = text.chars().count();
    if length <= MAX_SHOWN {
        return text.to_owned();
    }
    let common = text.chars().zip(other.chars());
    let common = common.take_while(|(one, other)| one == other).count();
    let start = common.saturating_sub(SHOWN_BEFORE).min(length - MAX_SHOWN);
    let part: String = text.chars().skip(start).take(MAX_SHOWN).collect();
    let before = if start > 0 { "…" } else { "" };
    let after = if start + MAX_SHOWN < length {
        "…"
    } else {
        ""
    };
    format!("{before}{part}{after}")
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
    fn layout_comments_and_case_do_not_change_a_statement() {
        let one = query("Rows", Some("SELECT data FROM words WHERE data <> 'x'"));
        for same in [
            "  select DATA\n  from words -- a comment\n  where data <> 'x' ;\n",
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
    fn changed_values_of_variables_change_a_statement() {
        let statement = |hash: &str| {
            let text = format!("SELECT data FROM words\n-- SHA-256 of the values: {hash}");
            query("Rows", Some(&text))
        };
        let (one, other) = (statement("0011223344556677"), statement("8899aabbccddeeff"));
        assert!(is_same_query(&one, &one.clone()));
        assert!(!is_same_query(&one, &other));
        let none = query("Rows", Some("SELECT data FROM words"));
        assert!(!is_same_query(&one, &none));
        let message = refuse_changed("memory://values", &one, &other).to_string();
        assert!(
            message.contains("values of its environment variables"),
            "{message}"
        );
        let message = refuse_changed("memory://sink", &none, &query("Other", None)).to_string();
        assert!(!message.contains("environment variables"), "{message}");
    }

    #[test]
    fn a_query_changes_with_its_sink_but_not_with_an_unknown_statement() {
        let one = query("KinesisSink[a]", Some("SELECT 1"));
        assert!(is_same_query(&one, &query("KinesisSink[a]", None)));
        assert!(!is_same_query(&one, &query("KinesisSink[b]", None)));
        assert!(!is_same_query(
            &one,
            &query("KinesisSink[b]", Some("SELECT 1"))
        ));
    }

    #[test]
    fn the_first_difference_of_long_statements_is_shown() {
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
