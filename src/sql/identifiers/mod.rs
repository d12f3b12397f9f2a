//! Bare column names in any case: `partitionKey` and `partitionkey` both mean `"partitionKey"`.
//!
//! DataFusion lower-cases bare identifiers, and most columns of a Kinesis table are camelCase. If a bare
//! name equals, ignoring case, a Kinesis column of a relation in scope, it is quoted with that column's
//! spelling. If a column with the lower-case name exists, such as a user's alias, the name is not
//! changed.

mod relations;
mod scope;

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    Cte, ExceptSelectItem, ExcludeSelectItem, Expr, Ident, Insert, Join, JoinConstraint,
    JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement,
    TableObject, VisitMut, VisitorMut, WildcardAdditionalOptions, With,
};

pub(super) use self::relations::Relations;
use self::scope::{Relation, aliases, column, qualified};
pub(super) use self::scope::{Scope, column_in, normalized};

/// The columns of the tables that a statement names, by table name as written.
pub(super) type Tables = HashMap<ObjectName, Vec<String>>;

/// `name` as a table reference, normalized as the session normalizes identifiers.
pub(super) fn table_reference(ctx: &SessionContext, name: &ObjectName) -> Option<TableReference> {
    let normalize = ctx
        .state_ref()
        .read()
        .config_options()
        .sql_parser
        .enable_ident_normalization;
    object_name_to_table_reference(name.clone(), normalize).ok()
}

/// Quotes the Kinesis columns of `statement`.
pub(super) fn quote_columns(statement: &mut Statement, tables: &Tables) {
    match statement {
        Statement::Insert(insert) => quote_target(insert, tables),
        Statement::Prepare { statement, .. } => return quote_columns(statement, tables),
        _ => {}
    }
    let mut quoter = Quoter::new(tables);
    // The quoter never breaks.
    let _: ControlFlow<()> = statement.visit(&mut quoter);
}

/// Quotes the Kinesis columns of `query`.
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

/// Visits a statement and keeps track of the relations in scope.
struct Quoter<'a> {
    relations: Relations<'a>,
    scopes: Vec<Scope>,
    /// WITH clauses that were taken out to visit them early; put back after their query.
    withs: Vec<Option<With>>,
    /// HAVING and QUALIFY clauses that were taken out for the same reason.
    having_and_qualify: Vec<(Option<Expr>, Option<Expr>)>,
}

impl<'a> Quoter<'a> {
    fn new(tables: &'a Tables) -> Self {
        Self {
            relations: Relations::new(tables),
            scopes: Vec::new(),
            withs: Vec::new(),
            having_and_qualify: Vec::new(),
        }
    }
}

impl VisitorMut for Quoter<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.relations.enter();
        // Visited here instead of by the walk, because a CTE is defined only after its own query, unless
        // it is recursive.
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            for Cte { alias, query, .. } in &mut with.cte_tables {
                if with.recursive {
                    self.relations.define_cte(alias, query);
                }
                query.visit(self)?;
                self.relations.define_cte(alias, query);
            }
        }
        self.withs.push(with);
        // ORDER BY resolves names to output columns first, then to input columns.
        let columns = self.relations.set_outputs(&query.body);
        let inputs = match &*query.body {
            SetExpr::Select(select) => self.relations.inputs(select),
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
        self.relations.leave();
        self.scopes.pop();
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let inputs = self.relations.inputs(select);
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
                quote_excluded(options, &columns);
            }
        }
        self.scopes.push(inputs);
        // Visited here instead of by the walk, because these two resolve names to aliases of the SELECT
        // list first.
        let (mut having, mut qualify) = (select.having.take(), select.qualify.take());
        self.scopes.push(aliases(select));
        having.visit(self)?;
        qualify.visit(self)?;
        self.scopes.pop();
        self.having_and_qualify.push((having, qualify));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        (select.having, select.qualify) = self.having_and_qualify.pop().unwrap_or_default();
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

fn quote_excluded(options: &mut WildcardAdditionalOptions, names: &[String]) {
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
