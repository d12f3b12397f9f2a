//! Statements of a run that are not reached yet: a streaming one waits until the query before it is stopped.

use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement as ParsedStatement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::query::is_streaming;
use crate::sql::StreamingSettings;

/// A statement that is not reached yet.
#[derive(Debug)]
pub(in crate::cli) struct Upcoming {
    /// File and line.
    pub(in crate::cli) place: String,
    pub(in crate::cli) text: String,
}

/// What to say when a streaming query starts in front of `behind`; nothing where the query ends by itself, or
/// no other streaming statement follows.
pub(super) async fn warning(ctx: &SessionContext, upcoming: &[Upcoming]) -> Option<String> {
    let settings = StreamingSettings::of(ctx.state().config_options());
    if settings.trigger.ends_by_itself() {
        return None;
    }
    for Upcoming { place, text } in upcoming {
        if streams(ctx, text).await {
            return Some(format!(
                "{place}: this streaming statement waits until the query before it is stopped, because that one \
                 does not end by itself: run each in a process of its own, or \
                 SET streaming.trigger = 'available now'"
            ));
        }
    }
    None
}

/// Whether a statement is streaming, as far as that is known before the statements in between have run.
async fn streams(ctx: &SessionContext, text: &str) -> bool {
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
        // Its target may be made in between.
        (Err(_), Some(query)) => is_streaming(ctx, &query).await.unwrap_or(false),
        (Err(_), None) => false,
    }
}
