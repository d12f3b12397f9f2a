//! Reads `data ? 'key'` as an operator, where the parser takes `?` for a parameter.

use datafusion::common::Result;
use datafusion::config::Dialect;
use datafusion::execution::SessionState;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// `sql`, which could not be parsed, with each `?` before a string as an operator. A parameter is never followed
/// by a string.
///
/// Returns `None` if there is no such `?`, or if the statement cannot be parsed with it either. The dialect
/// `PostgreSQL` knows the operator itself.
pub(in crate::sql) fn parse_question_marks(state: &SessionState, sql: &str) -> Option<Statement> {
    let options = &state.config_options().sql_parser;
    if !sql.contains('?') || options.dialect != Dialect::Generic {
        return None;
    }
    let dialect = GenericDialect {};
    let mut tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .ok()?;
    if !replace(&mut tokens) {
        return None;
    }
    let statements: Result<_> = DFParserBuilder::new(tokens)
        .with_dialect(&dialect)
        .with_recursion_limit(options.recursion_limit.get())
        .build()
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = statements.ok()?;
    match statements.len() {
        1 => statements.pop_front(),
        _ => None,
    }
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
