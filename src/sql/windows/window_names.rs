//! The names `window_start` and `window_end` within one clause.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, VisitMut, VisitorMut};

use super::call::WindowCall;
use crate::error::{Error, Result};
use crate::sql::identifiers::normalized;

pub(super) const START: &str = "window_start";
pub(super) const END: &str = "window_end";

/// What `window_start`, `window_end` and the repeated window call mean in one clause.
#[derive(Debug, Default)]
pub(super) struct WindowNames {
    pub(super) window: Option<WindowCall>,
    /// Names that refer to something else: input columns, and in some clauses aliases.
    pub(super) taken: Vec<String>,
}

impl WindowNames {
    /// Replaces the names in `node`, but not in its subqueries.
    pub(super) fn replace<N: VisitMut>(&self, node: &mut N) -> Result<()> {
        let mut replacer = Replacer {
            names: self,
            depth: 0,
        };
        match node.visit(&mut replacer) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }

    /// Replaces the names in an element of a SELECT list, which keeps its column name.
    pub(super) fn item(&self, item: &mut SelectItem) -> Result<()> {
        if let SelectItem::UnnamedExpr(expr) = item
            && let Some((name, meaning)) = self.meaning(expr)?
        {
            *item = SelectItem::ExprWithAlias {
                expr: meaning,
                alias: Ident::new(name),
            };
            return Ok(());
        }
        self.replace(item)
    }

    /// The meaning of `expr`, and its column name, if it is one of the names or the window call.
    fn meaning(&self, expr: &Expr) -> Result<Option<(&'static str, Expr)>> {
        if let Expr::Identifier(ident) = expr {
            let Some(window) = &self.window else {
                return Ok(None);
            };
            let name = normalized(ident);
            if self.taken.contains(&name) {
                return Ok(None);
            }
            return Ok(match name.as_str() {
                START => Some((START, window.start())),
                END => Some((END, window.end())),
                _ => None,
            });
        }
        let Some(call) = WindowCall::of(expr)? else {
            return Ok(None);
        };
        match &self.window {
            Some(window) if *window == call => Ok(Some((START, call.start()))),
            _ => Err(Error::unsupported(format!(
                "{expr} is allowed in GROUP BY only, as a group of its own: GROUP BY {expr}. Elsewhere use \
                 window_start and window_end, or repeat the window exactly as in GROUP BY"
            ))),
        }
    }
}

struct Replacer<'a> {
    names: &'a WindowNames,
    /// The nesting depth of subqueries, which resolve the names on their own.
    depth: usize,
}

impl VisitorMut for Replacer<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    // Post-order, so that the replacement is not visited again.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        match self.names.meaning(expr) {
            Ok(Some((_, meaning))) => *expr = meaning,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}
