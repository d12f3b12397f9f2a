//! Warns when a streaming query that does not end by itself delays a later streaming statement.

use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement as ParsedStatement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::query::is_streaming;
use crate::sql::{StreamingSettings, is_statement_set};

/// A statement that has not run yet.
#[derive(Debug)]
pub(in crate::cli) struct Upcoming {
    /// File and line.
    pub(in crate::cli) origin: String,
    pub(in crate::cli) text: String,
}

/// The warning to print when a streaming query starts before the `upcoming` statements. `None` if
/// the query ends by itself or no streaming statement follows.
pub(super) async fn warning(ctx: &SessionContext, upcoming: &[Upcoming]) -> Option<String> {
    let settings = StreamingSettings::of(ctx.state().config_options());
    if settings.trigger.ends_by_itself() {
        return None;
    }
    for Upcoming { origin, text } in upcoming {
        if streams(ctx, text).await {
            return Some(format!(
                "{origin}: this streaming statement starts only after the query before it is stopped, because that query \
                 does not end by itself: run both with kinesis-sql run, or \
                 SET streaming.trigger = 'available now'"
            ));
        }
    }
    None
}

/// Whether a statement is streaming, to the extent that this is known before the statements in
/// between run.
async fn streams(ctx: &SessionContext, text: &str) -> bool {
    if is_statement_set(text) {
        return true;
    }
    let parsed = DFParser::parse_sql(text);
    let Some(ParsedStatement::Statement(statement)) =
        parsed.ok().and_then(|mut parsed| parsed.pop_front())
    else {
        return false;
    };
    let query = match *statement {
        SqlStatement::Query(_) => None,
        SqlStatement::Insert(insert) => insert.source.map(|source| source.to_string()),
        _ => return false,
    };
    match (is_streaming(ctx, text).await, query) {
        (Ok(streams), _) => streams,
        // The statements in between may create the target table.
        (Err(_), Some(query)) => is_streaming(ctx, &query).await.unwrap_or(false),
        (Err(_), None) => false,
    }
}
