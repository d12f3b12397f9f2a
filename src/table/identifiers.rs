//! Bare column names in any case: `partitionKey` and `partitionkey` both mean `"partitionKey"`.
//!
//! SQL lower-cases bare identifiers, and five of a Kinesis table's columns are camelCase. A bare
//! name that equals, ignoring case, a Kinesis column of a relation in its scope is quoted with the
//! column's own spelling; a name that exists in lower case, such as a user's alias, stays as it is.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, ExceptSelectItem, ExcludeSelectItem, Expr, Ident, Insert, Join, JoinConstraint,
    JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement,
    TableAlias, TableFactor, TableObject, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use crate::options::ExtraColumn;
use crate::source::RowColumn;

/// The columns of the tables a statement names, by the name it gives them.
pub(super) type Tables = HashMap<ObjectName, Vec<String>>;

/// Quotes the Kinesis columns of `statement`.
pub(super) fn quote_columns(statement: &mut Statement, tables: &Tables) {
    if let Statement::Insert(insert) = statement {
        quote_target(insert, tables);
    }
    let mut quoter = Quoter::new(tables);
    // The quoter never breaks off.
    let _: ControlFlow<()> = statement.visit(&mut quoter);
}

/// Quotes the Kinesis columns of a query that stands alone.
pub(super) fn quote_query(query: &mut Query, tables: &Tables) {
    let mut quoter = Quoter::new(tables);
    let _: ControlFlow<()> = query.visit(&mut quoter);
}

fn quote_target(insert: &mut Insert, tables: &Tables) {
    let TableObject::TableName(target) = &insert.table else {
        return;
    };
    if let Some(columns) = tables.get(target) {
        for column in &mut insert.columns {
            quote_last(column, columns);
        }
    }
}

fn is_kinesis_column(name: &str) -> bool {
    let extra = ExtraColumn::ALL.into_iter().map(ExtraColumn::name);
    let mut names = RowColumn::STANDARD
        .into_iter()
        .map(RowColumn::name)
        .chain(extra);
    names.any(|known| known == name)
}

/// What DataFusion makes of an identifier.
fn normalized(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The name `ident` stands for in the first of `scopes` that knows it, innermost first.
fn resolved<'a>(ident: &Ident, scopes: impl IntoIterator<Item = &'a Vec<String>>) -> String {
    let normal = normalized(ident);
    if ident.quote_style.is_some() {
        return normal;
    }
    for names in scopes {
        if names.contains(&normal) {
            return normal;
        }
        let same =
            |name: &&String| is_kinesis_column(name) && name.eq_ignore_ascii_case(&ident.value);
        if let Some(name) = names.iter().find(same) {
            return name.clone();
        }
    }
    normal
}

/// The name `ident` stands for, if it is one of `names`.
fn known(ident: &Ident, names: &Vec<String>) -> Option<String> {
    let name = resolved(ident, [names]);
    names.contains(&name).then_some(name)
}

fn quote<'a>(ident: &mut Ident, scopes: impl IntoIterator<Item = &'a Vec<String>>) {
    let name = resolved(ident, scopes);
    if name != normalized(ident) {
        *ident = Ident::with_quote('"', name);
    }
}

fn quote_last(name: &mut ObjectName, names: &Vec<String>) {
    if let Some(ObjectNamePart::Identifier(ident)) = name.0.last_mut() {
        quote(ident, [names]);
    }
}

/// The names of the columns that queries give, by the names of their WITH clauses.
type Ctes = HashMap<String, Vec<String>>;

/// Walks a statement with the names in scope at hand.
struct Quoter<'a> {
    tables: &'a Tables,
    ctes: Vec<Ctes>,
    scopes: Vec<Vec<String>>,
}

impl<'a> Quoter<'a> {
    fn new(tables: &'a Tables) -> Self {
        Self {
            tables,
            ctes: Vec::new(),
            scopes: Vec::new(),
        }
    }

    /// Adds what the WITH clause of `query` defines; each may use those before it.
    fn push_ctes(&mut self, query: &Query) {
        self.ctes.push(Ctes::new());
        for Cte { alias, query, .. } in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = renamed(Some(alias), self.outputs(query));
            if let Some(ctes) = self.ctes.last_mut() {
                ctes.insert(normalized(&alias.name), columns);
            }
        }
    }

    /// The names of the columns `query` gives.
    fn outputs(&mut self, query: &Query) -> Vec<String> {
        self.push_ctes(query);
        let names = self.set_outputs(&query.body);
        self.ctes.pop();
        names
    }

    fn set_outputs(&mut self, body: &SetExpr) -> Vec<String> {
        match body {
            SetExpr::Select(select) => self.select_outputs(select),
            SetExpr::Query(query) => self.outputs(query),
            SetExpr::SetOperation { left, .. } => self.set_outputs(left),
            _ => Vec::new(),
        }
    }

    fn select_outputs(&mut self, select: &Select) -> Vec<String> {
        let inputs = self.inputs(select);
        let mut names = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => names.push(normalized(alias)),
                SelectItem::UnnamedExpr(Expr::Identifier(ident)) => {
                    names.extend(known(ident, &inputs));
                }
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                    names.extend(parts.last().and_then(|ident| known(ident, &inputs)));
                }
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                    names.extend(inputs.iter().cloned());
                }
                // A name made from an expression is nobody's column of Kinesis.
                _ => {}
            }
        }
        names
    }

    /// The names of the columns in the FROM clause.
    fn inputs(&mut self, select: &Select) -> Vec<String> {
        let mut names = Vec::new();
        for table in &select.from {
            names.extend(self.factor(&table.relation));
            for join in &table.joins {
                names.extend(self.factor(&join.relation));
            }
        }
        names
    }

    fn factor(&mut self, factor: &TableFactor) -> Vec<String> {
        match factor {
            TableFactor::Table { name, alias, .. } => renamed(alias.as_ref(), self.relation(name)),
            TableFactor::Derived {
                subquery, alias, ..
            } => {
                let outputs = self.outputs(subquery);
                renamed(alias.as_ref(), outputs)
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => {
                let mut names = self.factor(&table_with_joins.relation);
                for join in &table_with_joins.joins {
                    names.extend(self.factor(&join.relation));
                }
                names
            }
            _ => Vec::new(),
        }
    }

    fn relation(&self, name: &ObjectName) -> Vec<String> {
        if let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() {
            let name = normalized(ident);
            if let Some(columns) = self.ctes.iter().rev().find_map(|ctes| ctes.get(&name)) {
                return columns.clone();
            }
        }
        self.tables.get(name).cloned().unwrap_or_default()
    }
}

/// Columns under the names of an alias such as `AS t (a, b)`.
fn renamed(alias: Option<&TableAlias>, mut columns: Vec<String>) -> Vec<String> {
    let names = alias.into_iter().flat_map(|alias| &alias.columns);
    for (place, column) in names.enumerate() {
        let name = normalized(&column.name);
        match columns.get_mut(place) {
            Some(old) => *old = name,
            None => columns.push(name),
        }
    }
    columns
}

impl VisitorMut for Quoter<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.push_ctes(query);
        // ORDER BY sees the columns the query gives, then those it reads.
        let mut names = self.set_outputs(&query.body);
        if let SetExpr::Select(select) = &*query.body {
            names.extend(self.inputs(select));
        }
        self.scopes.push(names);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.ctes.pop();
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let names = self.inputs(select);
        for table in &mut select.from {
            for join in &mut table.joins {
                quote_using(join, &names);
            }
        }
        for item in &mut select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item
            {
                quote_left_out(options, &names);
            }
        }
        self.scopes.push(names);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _select: &mut Select) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => quote(ident, self.scopes.iter().rev()),
            Expr::CompoundIdentifier(parts) => {
                if let Some(ident) = parts.last_mut() {
                    quote(ident, self.scopes.iter().rev());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn quote_using(join: &mut Join, names: &Vec<String>) {
    let (JoinOperator::Join(constraint)
    | JoinOperator::Inner(constraint)
    | JoinOperator::Left(constraint)
    | JoinOperator::LeftOuter(constraint)
    | JoinOperator::Right(constraint)
    | JoinOperator::RightOuter(constraint)
    | JoinOperator::FullOuter(constraint)
    | JoinOperator::LeftSemi(constraint)
    | JoinOperator::RightSemi(constraint)
    | JoinOperator::LeftAnti(constraint)
    | JoinOperator::RightAnti(constraint)) = &mut join.join_operator
    else {
        return;
    };
    if let JoinConstraint::Using(columns) = constraint {
        for column in columns {
            quote_last(column, names);
        }
    }
}

fn quote_left_out(options: &mut WildcardAdditionalOptions, names: &Vec<String>) {
    match &mut options.opt_exclude {
        Some(ExcludeSelectItem::Single(column)) => quote_last(column, names),
        Some(ExcludeSelectItem::Multiple(columns)) => {
            for column in columns {
                quote_last(column, names);
            }
        }
        None => {}
    }
    if let Some(ExceptSelectItem {
        first_element,
        additional_elements,
    }) = &mut options.opt_except
    {
        quote(first_element, [names]);
        for column in additional_elements {
            quote(column, [names]);
        }
    }
}

#[cfg(test)]
mod tests;
