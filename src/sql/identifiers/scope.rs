//! Name resolution within the relations in scope.

use datafusion::sql::sqlparser::ast::{Ident, Select, SelectItem, TableAlias};

use crate::options::ExtraColumn;
use crate::source::RowColumn;

fn is_kinesis_column(name: &str) -> bool {
    let extra = ExtraColumn::ALL.into_iter().map(ExtraColumn::name);
    let mut names = RowColumn::STANDARD
        .into_iter()
        .map(RowColumn::name)
        .chain(extra);
    names.any(|known| known == name)
}

/// `ident` as DataFusion normalizes it: lower case, unless it is quoted.
pub(in crate::sql) fn normalized(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// A relation in scope: its name, unless it has none, and its columns.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Relation {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<String>,
}

/// The relations that are visible at one point of a statement.
pub(in crate::sql) type Scope = Vec<Relation>;

/// The column among `columns` that `ident` refers to, if any.
pub(super) fn column(ident: &Ident, columns: &[String]) -> Option<String> {
    let normal = normalized(ident);
    if columns.contains(&normal) {
        return Some(normal);
    }
    if ident.quote_style.is_some() {
        return None;
    }
    let same = |name: &&String| is_kinesis_column(name) && name.eq_ignore_ascii_case(&ident.value);
    columns.iter().find(same).cloned()
}

/// The column that `ident` refers to in `scope`: an exact match in any relation, else a Kinesis column
/// ignoring case.
pub(in crate::sql) fn column_in(ident: &Ident, scope: &Scope) -> Option<String> {
    let normal = normalized(ident);
    let mut relations = scope.iter();
    if relations.any(|relation| relation.columns.contains(&normal)) {
        return Some(normal);
    }
    scope
        .iter()
        .find_map(|relation| column(ident, &relation.columns))
}

/// The column that `a.b` refers to in the first of `scopes` with a relation `a`; `None` if `a` is not
/// a relation but, for example, a struct.
pub(super) fn qualified<'a>(
    parts: &[Ident],
    scopes: impl IntoIterator<Item = &'a Scope>,
) -> Option<String> {
    let [.., qualifier, ident] = parts else {
        return None;
    };
    let qualifier = Some(normalized(qualifier));
    let mut relations = scopes.into_iter().flatten();
    let relation = relations.find(|relation| relation.name == qualifier)?;
    column(ident, &relation.columns)
}

/// `columns` renamed by the column list of an alias such as `AS t (a, b)`.
pub(super) fn renamed(alias: Option<&TableAlias>, mut columns: Vec<String>) -> Vec<String> {
    let names = alias.into_iter().flat_map(|alias| &alias.columns);
    for (index, column) in names.enumerate() {
        let name = normalized(&column.name);
        match columns.get_mut(index) {
            Some(old) => *old = name,
            None => columns.push(name),
        }
    }
    columns
}

/// The aliases of the SELECT list, as a relation without a name.
pub(super) fn aliases(select: &Select) -> Scope {
    let alias = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(normalized(alias)),
        _ => None,
    };
    vec![Relation {
        name: None,
        columns: select.projection.iter().filter_map(alias).collect(),
    }]
}
