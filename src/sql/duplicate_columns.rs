//! Names for the columns of a SELECT list of which two would be called the same.
//!
//! DataFusion wants the columns of a SELECT list to have different names, and gives them names by itself: of
//! `x` and `CAST(x AS INT)` the same one. For an INSERT names mean nothing, and elsewhere numbers tell the
//! columns apart.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{Expr, Ident, Select, SelectItem, VisitMut, VisitorMut};

use super::identifiers::normalized;

/// How the engine refuses two columns of a name.
const REPEATED: &str = "Projections require unique expression names";

/// Whether `error` is about two columns of one name.
pub(super) fn is_duplicate(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::Plan(message) if message.starts_with(REPEATED))
}

/// Gives each column of the SELECT lists of `statement` a name of its own: a column that has one keeps it,
/// an expression is called as it is written, and one that comes again is numbered.
pub(super) fn make_distinct(statement: &mut Statement) {
    // The visitor never breaks off.
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

struct Namer;

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let aliases = select.projection.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(normalized(alias)),
            _ => None,
        });
        let mut taken: HashSet<String> = aliases.collect();
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
            while !taken.insert(name.clone()) {
                name = format!("{wanted}_{number}");
                number += 1;
            }
            // A column that is called what it is called stays one of its table.
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
