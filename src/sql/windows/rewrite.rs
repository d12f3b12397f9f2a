//! `tumble`, `hop`, `session`, `window_start` and `window_end` in the text of a statement.
//!
//! They are written out before planning: a window in GROUP BY as the expressions that are grouped by, and
//! the two names as expressions over these, wherever a SELECT can tell of its groups.

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

/// Writes out the windows of all queries in `node`, whose columns are quoted already; `tables` are those
/// that it names.
///
/// # Errors
/// Windows where there can be none.
pub(in crate::sql) fn expand_windows<N: VisitMut>(node: &mut N, tables: &Tables) -> Result<()> {
    let mut writer = Writer {
        relations: Relations::new(tables),
        withs: Vec::new(),
    };
    match node.visit(&mut writer) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Walks a statement, the inner queries first.
struct Writer<'a> {
    relations: Relations<'a>,
    /// Clauses visited by hand, to be put back where they were.
    withs: Vec<Option<With>>,
}

impl VisitorMut for Writer<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.relations.enter();
        // By hand, since a name is defined after its own query.
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

impl Writer<'_> {
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
                name_ordinal(&mut by.expr, &select.projection);
            }
        }
        names.replace(&mut query.order_by)
    }

    /// The SELECTs of a set operation; those in parentheses are queries and done already.
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

    /// Writes out one SELECT; gives what the names mean in its ORDER BY.
    fn select(&mut self, select: &mut Select) -> Result<WindowNames> {
        let mut names = WindowNames {
            window: grouped(&mut select.group_by)?,
            taken: columns(&self.relations.inputs(select)),
        };
        // These are seen before the columns of GROUP BY everywhere but in the SELECT list itself.
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

        // What is grouped by is written out already, and looks like a window itself.
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

/// Takes the window out of a GROUP BY and puts in what is grouped by instead.
fn grouped(group_by: &mut GroupByExpr) -> Result<Option<WindowCall>> {
    let GroupByExpr::Expressions(groups, modifiers) = group_by else {
        return Ok(None);
    };
    let mut window: Option<(WindowCall, Expr)> = None;
    let mut written = Vec::with_capacity(groups.len());
    for mut group in mem::take(groups) {
        let Some(call) = WindowCall::of(bare(&group))? else {
            refuse_within(&mut group)?;
            written.push(group);
            continue;
        };
        match &window {
            Some((first, _)) if *first == call => continue,
            Some((_, first)) => {
                return Err(Error::unsupported(format!(
                    "GROUP BY has two windows, {first} and {group}: expected at most one; group by \
                     one in a query, and by the other in a query around it"
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

/// Refuses windows inside an element of GROUP BY.
fn refuse_within(group: &mut Expr) -> Result<()> {
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
        "{call} in GROUPING SETS, ROLLUP or CUBE: expected it in a plain GROUP BY list; write a SELECT \
         for each grouping and UNION ALL"
    ))
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// Puts the alias of a column for its number: the planner takes numbers of columns that are grouped by or
/// aggregated, and the end of a window is computed.
fn name_ordinal(by: &mut Expr, projection: &[SelectItem]) {
    let Expr::Value(ValueWithSpan {
        value: Value::Number(number, _),
        ..
    }) = by
    else {
        return;
    };
    let place = number.to_string().parse::<usize>().ok();
    let item = place.and_then(|place| projection.get(place.checked_sub(1)?));
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
