//! Expands `tumble`, `hop`, `session`, `window_start` and `window_end` in the text of a statement.
//!
//! Before planning, a window in GROUP BY becomes the expressions to group by, and the two names become
//! expressions over them in every clause that may refer to groups.

use std::mem;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Value,
    ValueWithSpan, VisitMut, VisitorMut, With,
};

use super::call::WindowCall;
use super::window_names::{END, START, WindowNames};
use crate::error::{Error, Result};
use crate::sql::identifiers::{Relations, Scope, Tables, column_in, normalized};

/// Expands the windows of all queries in `node`, whose columns are quoted already. `tables` are the tables
/// that it names.
///
/// # Errors
/// A window is used where it is not allowed.
pub(in crate::sql) fn expand_windows<N: VisitMut>(node: &mut N, tables: &Tables) -> Result<()> {
    let mut expander = Expander {
        relations: Relations::new(tables),
        withs: Vec::new(),
    };
    match node.visit(&mut expander) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Visits a statement, inner queries first.
struct Expander<'a> {
    relations: Relations<'a>,
    /// WITH clauses that were taken out to visit them early; put back after their query.
    withs: Vec<Option<With>>,
}

impl VisitorMut for Expander<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.relations.enter();
        // Visited here instead of by the walk, because a CTE is defined only after its own query.
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            for Cte { alias, query, .. } in &mut with.cte_tables {
                query.visit(self)?;
                self.relations.define_cte(alias, query);
            }
        }
        self.withs.push(with);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let done = self.query(query);
        query.with = self.withs.pop().flatten();
        self.relations.leave();
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Expander<'_> {
    fn query(&mut self, query: &mut Query) -> Result<()> {
        let SetExpr::Select(select) = &mut *query.body else {
            return self.set(&mut query.body);
        };
        let names = self.select(select)?;
        if names.window.is_some()
            && let Some(OrderBy { kind, .. }) = &mut query.order_by
            && let OrderByKind::Expressions(order) = kind
        {
            for by in order {
                replace_ordinal(&mut by.expr, &select.projection);
            }
        }
        names.replace(&mut query.order_by)
    }

    /// Expands the SELECTs of a set operation. Those in parentheses are queries and already expanded.
    fn set(&mut self, body: &mut SetExpr) -> Result<()> {
        match body {
            SetExpr::Select(select) => self.select(select).map(drop),
            SetExpr::SetOperation { left, right, .. } => {
                self.set(left)?;
                self.set(right)
            }
            _ => Ok(()),
        }
    }

    /// Expands one SELECT. Returns the meaning of the window's names in its ORDER BY.
    fn select(&mut self, select: &mut Select) -> Result<WindowNames> {
        let mut names = WindowNames {
            window: expand_group_by(&mut select.group_by)?,
            taken: columns(&self.relations.inputs(select)),
        };
        // Aliases take precedence over group columns everywhere except in the SELECT list itself.
        let aliases = select.projection.iter().filter_map(alias);
        let aliases: Vec<String> = aliases.collect();

        let mut projection = mem::take(&mut select.projection);
        for item in &mut projection {
            names.item(item)?;
        }
        let mut distinct = select.distinct.take();
        names.replace(&mut distinct)?;
        let mut named_window = mem::take(&mut select.named_window);
        names.replace(&mut named_window)?;
        names.taken.extend(aliases);
        let (mut having, mut qualify) = (select.having.take(), select.qualify.take());
        names.replace(&mut having)?;
        names.replace(&mut qualify)?;

        // GROUP BY is expanded already, and its expansion can look like a window call.
        let group_by = mem::replace(&mut select.group_by, GroupByExpr::All(Vec::new()));
        WindowNames::default().replace(select)?;
        select.group_by = group_by;
        (select.projection, select.distinct) = (projection, distinct);
        (select.named_window, select.having, select.qualify) = (named_window, having, qualify);
        names
            .taken
            .extend(select.projection.iter().filter_map(alias));
        Ok(names)
    }
}

/// Replaces the window in `group_by` with the expressions to group by, and returns it.
fn expand_group_by(group_by: &mut GroupByExpr) -> Result<Option<WindowCall>> {
    let GroupByExpr::Expressions(groups, modifiers) = group_by else {
        return Ok(None);
    };
    let mut window: Option<(WindowCall, Expr)> = None;
    let mut written = Vec::with_capacity(groups.len());
    for mut group in mem::take(groups) {
        let Some(call) = WindowCall::of(bare(&group))? else {
            refuse_nested(&mut group)?;
            written.push(group);
            continue;
        };
        match &window {
            Some((first, _)) if *first == call => continue,
            Some((_, first)) => {
                return Err(Error::unsupported(format!(
                    "GROUP BY has two windows, {first} and {group}: expected one; group by one window \
                     in a subquery, and by the other in the outer query"
                )));
            }
            None => {}
        }
        written.extend(call.groups());
        window = Some((call, group));
    }
    *groups = written;
    match &window {
        Some((_, call)) if !modifiers.is_empty() => Err(in_grouping_sets(call)),
        window => Ok(window.clone().map(|(call, _)| call)),
    }
}

/// Refuses a window nested in an element of GROUP BY.
fn refuse_nested(group: &mut Expr) -> Result<()> {
    let sets = match group {
        Expr::GroupingSets(sets) | Expr::Rollup(sets) | Expr::Cube(sets) => sets,
        other => return WindowNames::default().replace(other),
    };
    for part in sets.iter().flatten() {
        if WindowCall::of(bare(part))?.is_some() {
            return Err(in_grouping_sets(part));
        }
    }
    WindowNames::default().replace(sets)
}

fn in_grouping_sets(call: &Expr) -> Error {
    Error::unsupported(format!(
        "{call} in GROUPING SETS, ROLLUP or CUBE is not supported: use it in a plain GROUP BY list; write \
         one SELECT per grouping and combine them with UNION ALL"
    ))
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// Replaces an ordinal in ORDER BY with the alias of its column. The planner accepts ordinals of group columns
/// and aggregates only, and `window_end` is a computed column.
fn replace_ordinal(by: &mut Expr, projection: &[SelectItem]) {
    let Expr::Value(ValueWithSpan {
        value: Value::Number(number, _),
        ..
    }) = by
    else {
        return;
    };
    let ordinal = number.to_string().parse::<usize>().ok();
    let item = ordinal.and_then(|ordinal| projection.get(ordinal.checked_sub(1)?));
    if let Some(SelectItem::ExprWithAlias { alias: name, .. }) = item
        && projection
            .iter()
            .filter_map(alias)
            .filter(|other| *other == normalized(name))
            .count()
            == 1
    {
        *by = Expr::Identifier(name.clone());
    }
}

fn columns(scope: &Scope) -> Vec<String> {
    let names = [START, END].map(Ident::new);
    let known = names.iter().filter_map(|name| column_in(name, scope));
    known.collect()
}

fn alias(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(normalized(alias)),
        _ => None,
    }
}
