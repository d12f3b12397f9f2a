//! What a clause makes of the names of a window.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, VisitMut, VisitorMut};

use super::call::WindowCall;
use crate::error::{Error, Result};
use crate::sql::identifiers::normalized;

pub(super) const START: &str = "window_start";
pub(super) const END: &str = "window_end";

/// What `window_start`, `window_end` and the window itself mean in one clause.
#[derive(Debug, Default)]
pub(super) struct WindowNames {
    pub(super) window: Option<WindowCall>,
    /// WindowNames that mean something else: columns, and in some clauses aliases.
    pub(super) taken: Vec<String>,
}

impl WindowNames {
    /// Writes out the names in `node`, without the queries in it.
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

    /// An element of a SELECT list: the bare names, and the window, stay its name.
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

    /// What `expr` means, and the name for it, if it is one of the names or a window.
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
                "{expr} stands in GROUP BY only, on its own: GROUP BY {expr}. Elsewhere write \
                 window_start and window_end, or repeat the window of GROUP BY as it is"
            ))),
        }
    }
}

struct Replacer<'a> {
    names: &'a WindowNames,
    /// How many queries deep; names in queries are their own affair.
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

    // Afterwards, so that what is put in is not visited again.
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
