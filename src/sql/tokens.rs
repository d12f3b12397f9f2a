//! Parses a statement from its tokens.

use datafusion::common::{Result, not_impl_err, plan_datafusion_err};
use datafusion::execution::SessionState;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

/// The statement of `tokens`, as [`SessionState::sql_to_statement`] parses that of a text.
///
/// # Errors
/// The tokens are not those of one statement.
pub(super) fn parse(state: &SessionState, tokens: Vec<TokenWithSpan>) -> Result<Statement> {
    let options = &state.config_options().sql_parser;
    let dialect = dialect_from_str(options.dialect)
        .ok_or_else(|| plan_datafusion_err!("unknown SQL dialect: {}", options.dialect))?;
    let mut statements = DFParserBuilder::new(tokens)
        .with_dialect(&*dialect)
        .with_recursion_limit(options.recursion_limit.get())
        .build()?
        .parse_statements()?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => Err(plan_datafusion_err!("expected a statement, found none")),
        (Some(_), false) => not_impl_err!("expected a single statement, found several"),
    }
}
