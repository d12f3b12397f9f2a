//! Resolves the relations of a query and their output columns from the text of the statement.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, TableAlias,
    TableFactor,
};

use super::Tables;
use super::scope::{Relation, Scope, column_in, normalized, qualified, renamed};

/// Output columns of CTEs, by name.
type Ctes = HashMap<String, Vec<String>>;

/// The tables and CTEs that are visible at one point of a statement.
#[derive(Debug)]
pub(in crate::sql) struct Relations<'a> {
    tables: &'a Tables,
    ctes: Vec<Ctes>,
}

impl<'a> Relations<'a> {
    pub(in crate::sql) fn new(tables: &'a Tables) -> Self {
        Self {
            tables,
            ctes: Vec::new(),
        }
    }

    /// Enters a query, whose WITH clause may define CTEs.
    pub(in crate::sql) fn enter(&mut self) {
        self.ctes.push(Ctes::new());
    }

    /// Leaves a query; its CTEs go out of scope.
    pub(in crate::sql) fn leave(&mut self) {
        self.ctes.pop();
    }

    /// Defines a CTE of the current query.
    pub(in crate::sql) fn define_cte(&mut self, alias: &TableAlias, query: &Query) {
        let outputs = self.outputs(query);
        self.define(alias, outputs);
    }

    fn define(&mut self, alias: &TableAlias, outputs: Vec<String>) {
        let columns = renamed(Some(alias), outputs);
        if let Some(ctes) = self.ctes.last_mut() {
            ctes.insert(normalized(&alias.name), columns);
        }
    }

    /// The names of the output columns of `query`.
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

    pub(super) fn set_outputs(&mut self, body: &SetExpr) -> Vec<String> {
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
                // An expression never gets the name of a Kinesis column.
                _ => {}
            }
        }
        names
    }

    /// The relations in the FROM clause of `select`.
    pub(in crate::sql) fn inputs(&mut self, select: &Select) -> Scope {
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
