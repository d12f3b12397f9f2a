//! Gives the columns of a SELECT list distinct names.
//!
//! DataFusion refuses a SELECT list with duplicate names, and generates the same name for `x` and
//! `CAST(x AS INT)`. An INSERT ignores the names anyway; elsewhere a number is appended to a duplicate.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{Expr, Ident, Select, SelectItem, VisitMut, VisitorMut};

use super::identifiers::normalized;

/// The start of DataFusion's message for duplicate names.
const DUPLICATE_NAMES: &str = "Projections require unique expression names";

/// Whether `error` reports duplicate column names.
pub(super) fn is_duplicate(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::Plan(message) if message.starts_with(DUPLICATE_NAMES))
}

/// Makes the names in each SELECT list of `statement` distinct. Columns and aliases keep their names, an
/// expression is named by its text, and duplicates get a number.
pub(super) fn make_distinct(statement: &mut Statement) {
    // The visitor never breaks.
    let _: ControlFlow<()> = match statement {
        Statement::Statement(statement) => statement.visit(&mut Namer),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(&mut Namer),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        Statement::Explain(explain) => {
            make_distinct(&mut explain.statement);
            ControlFlow::Continue(())
        }
        Statement::CreateExternalTable(_) | Statement::Reset(_) => ControlFlow::Continue(()),
    };
}

/// Names the columns of each SELECT list.
struct Namer;

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let aliases = select.projection.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(normalized(alias)),
            _ => None,
        });
        let mut used: HashSet<String> = aliases.collect();
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expr) = item else {
                continue;
            };
            let column = match expr {
                Expr::Identifier(ident) => Some(normalized(ident)),
                Expr::CompoundIdentifier(parts) => parts.last().map(normalized),
                _ => None,
            };
            let is_column = column.is_some();
            let wanted = column.unwrap_or_else(|| expr.to_string());
            let mut name = wanted.clone();
            let mut number = 2;
            while !used.insert(name.clone()) {
                name = format!("{wanted}_{number}");
                number += 1;
            }
            // A column under its own name gets no alias, so that it remains a column of its table.
            if !is_column || name != wanted {
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: Ident::with_quote('"', name),
                };
            }
        }
        ControlFlow::Continue(())
    }
}
