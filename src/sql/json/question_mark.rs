//! Reads `data ? 'key'` as an operator, where the parser takes `?` for a parameter.

use datafusion::config::Dialect;
use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::sql::tokens;

/// `sql`, which could not be parsed, with each `?` before a string as an operator. A parameter is never followed
/// by a string. `filled` are its tokens if they differ from those of the text.
///
/// Returns `None` if there is no such `?`, or if the statement cannot be parsed with it either. The dialect
/// `PostgreSQL` knows the operator itself.
pub(in crate::sql) fn parse_question_marks(
    state: &SessionState,
    sql: &str,
    filled: Option<Vec<TokenWithSpan>>,
) -> Option<Statement> {
    let options = &state.config_options().sql_parser;
    if !sql.contains('?') || options.dialect != Dialect::Generic {
        return None;
    }
    let written = || {
        Tokenizer::new(&GenericDialect {}, sql)
            .tokenize_with_location()
            .ok()
    };
    let mut tokens = filled.or_else(written)?;
    if !replace(&mut tokens) {
        return None;
    }
    tokens::parse(state, tokens).ok()
}

/// Replaces the parameters that are operators. Returns whether there were any.
fn replace(tokens: &mut [TokenWithSpan]) -> bool {
    let mut replaced = false;
    let mut before_string = false;
    for token in tokens.iter_mut().rev() {
        match &token.token {
            Token::Whitespace(_) => {}
            Token::Placeholder(text) if text == "?" && before_string => {
                token.token = Token::Question;
                before_string = false;
                replaced = true;
            }
            other => before_string = matches!(other, Token::SingleQuotedString(_)),
        }
    }
    replaced
}
