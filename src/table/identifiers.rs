//! Bare column names in any case: `partitionKey` and `partitionkey` both mean `"partitionKey"`.
//!
//! SQL lower-cases bare identifiers, and most columns of a Kinesis table are camelCase. A bare
//! name that equals, ignoring case, a Kinesis column of a relation in its scope is quoted with the
//! column's own spelling; a name that exists in lower case, such as a user's alias, stays as it is.

mod scope;

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, ExceptSelectItem, ExcludeSelectItem, Expr, Ident, Insert, Join, JoinConstraint,
    JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement,
    TableAlias, TableFactor, TableObject, VisitMut, VisitorMut, WildcardAdditionalOptions, With,
};

use self::scope::{Relation, Scope, aliases, column, column_in, normalized, qualified, renamed};

/// The columns of the tables a statement names, by the name it gives them.
pub(super) type Tables = HashMap<ObjectName, Vec<String>>;

/// Quotes the Kinesis columns of `statement`.
pub(super) fn quote_columns(statement: &mut Statement, tables: &Tables) {
    match statement {
        Statement::Insert(insert) => quote_target(insert, tables),
        Statement::Prepare { statement, .. } => return quote_columns(statement, tables),
        _ => {}
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

fn spell(ident: &mut Ident, name: Option<String>) {
    if let Some(name) = name
        && name != normalized(ident)
    {
        *ident = Ident::with_quote('"', name);
    }
}

fn quote_last(name: &mut ObjectName, columns: &[String]) {
    if let Some(ObjectNamePart::Identifier(ident)) = name.0.last_mut() {
        spell(ident, column(ident, columns));
    }
}

/// The columns that queries give, by the names of their WITH clauses.
type Ctes = HashMap<String, Vec<String>>;

/// Walks a statement with the relations in scope at hand.
struct Quoter<'a> {
    tables: &'a Tables,
    ctes: Vec<Ctes>,
    scopes: Vec<Scope>,
    /// Clauses visited by hand, to be put back where they were.
    withs: Vec<Option<With>>,
    after_grouping: Vec<(Option<Expr>, Option<Expr>)>,
}

impl<'a> Quoter<'a> {
    fn new(tables: &'a Tables) -> Self {
        Self {
            tables,
            ctes: Vec::new(),
            scopes: Vec::new(),
            withs: Vec::new(),
            after_grouping: Vec::new(),
        }
    }

    fn define(&mut self, alias: &TableAlias, outputs: Vec<String>) {
        let columns = renamed(Some(alias), outputs);
        if let Some(ctes) = self.ctes.last_mut() {
            ctes.insert(normalized(&alias.name), columns);
        }
    }

    /// The names of the columns `query` gives.
    fn outputs(&mut self, query: &Query) -> Vec<String> {
        self.ctes.push(Ctes::new());
        for Cte { alias, query, .. } in query.with.iter().flat_map(|with| &with.cte_tables) {
            let outputs = self.outputs(query);
            self.define(alias, outputs);
        }
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
                    names.extend(column_in(ident, &inputs));
                }
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                    names.extend(qualified(parts, [&inputs]));
                }
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                    names.extend(inputs.iter().flat_map(|input| input.columns.clone()));
                }
                // A name made from an expression is nobody's column of Kinesis.
                _ => {}
            }
        }
        names
    }

    /// The relations of the FROM clause.
    fn inputs(&mut self, select: &Select) -> Scope {
        let mut scope = Scope::new();
        for table in &select.from {
            self.add(&table.relation, &mut scope);
            for join in &table.joins {
                self.add(&join.relation, &mut scope);
            }
        }
        scope
    }

    fn add(&mut self, factor: &TableFactor, scope: &mut Scope) {
        let (own_name, alias, columns) = match factor {
            TableFactor::Table { name, alias, .. } => {
                let own = name.0.last().and_then(ObjectNamePart::as_ident);
                (own.map(normalized), alias.as_ref(), self.relation(name))
            }
            TableFactor::Derived {
                subquery, alias, ..
            } => (None, alias.as_ref(), self.outputs(subquery)),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => {
                self.add(&table_with_joins.relation, scope);
                for join in &table_with_joins.joins {
                    self.add(&join.relation, scope);
                }
                return;
            }
            _ => return,
        };
        let name = alias.map(|alias| normalized(&alias.name)).or(own_name);
        scope.push(Relation {
            name,
            columns: renamed(alias, columns),
        });
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

impl VisitorMut for Quoter<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.ctes.push(Ctes::new());
        // By hand, since a name is defined after its own query, unless that is recursive.
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            for Cte { alias, query, .. } in &mut with.cte_tables {
                if with.recursive {
                    let outputs = self.outputs(query);
                    self.define(alias, outputs);
                }
                query.visit(self)?;
                let outputs = self.outputs(query);
                self.define(alias, outputs);
            }
        }
        self.withs.push(with);
        // ORDER BY sees the columns the query gives, then those it reads.
        let columns = self.set_outputs(&query.body);
        let inputs = match &*query.body {
            SetExpr::Select(select) => self.inputs(select),
            _ => Scope::new(),
        };
        self.scopes.push(inputs);
        self.scopes.push(vec![Relation {
            name: None,
            columns,
        }]);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        query.with = self.withs.pop().flatten();
        self.ctes.pop();
        self.scopes.pop();
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let inputs = self.inputs(select);
        let columns: Vec<String> = inputs
            .iter()
            .flat_map(|input| input.columns.clone())
            .collect();
        for table in &mut select.from {
            for join in &mut table.joins {
                quote_using(join, &columns);
            }
        }
        for item in &mut select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item
            {
                quote_left_out(options, &columns);
            }
        }
        self.scopes.push(inputs);
        // By hand, since these two see the aliases of the SELECT list first.
        let (mut having, mut qualify) = (select.having.take(), select.qualify.take());
        self.scopes.push(aliases(select));
        having.visit(self)?;
        qualify.visit(self)?;
        self.scopes.pop();
        self.after_grouping.push((having, qualify));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        (select.having, select.qualify) = self.after_grouping.pop().unwrap_or_default();
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                let mut scopes = self.scopes.iter().rev();
                let name = scopes.find_map(|scope| column_in(ident, scope));
                spell(ident, name);
            }
            Expr::CompoundIdentifier(parts) => {
                let name = qualified(parts, self.scopes.iter().rev());
                if let Some(ident) = parts.last_mut() {
                    spell(ident, name);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn quote_using(join: &mut Join, names: &[String]) {
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

fn quote_left_out(options: &mut WildcardAdditionalOptions, names: &[String]) {
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
        spell(first_element, column(first_element, names));
        for element in additional_elements {
            spell(element, column(element, names));
        }
    }
}

#[cfg(test)]
mod tests;
