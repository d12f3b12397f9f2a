//! Names of fields as SQL identifiers.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{
    ColumnDef, DataType, Expr, Ident, SelectItem, SetExpr, Statement,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

pub(super) use crate::format::names::{can_be_declared, is_unprintable};

/// The identifier of each of `names`, in quotes where it needs them.
///
/// SQL lower-cases a name without quotes, and decoding ignores case, so `userId` needs none; but names that differ only
/// in case do.
pub(super) fn identifiers<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let mut alike: HashMap<String, usize> = HashMap::new();
    for name in names.clone() {
        *alike.entry(name.to_ascii_lowercase()).or_default() += 1;
    }
    names
        .map(|name| {
            let is_unique = alike.get(&name.to_ascii_lowercase()) == Some(&1);
            if is_unique && is_plain(name) {
                return name.to_owned();
            }
            // A reserved word in lower case, as SQL has it after a qualifier: t.order.
            let is_reserved = is_unique && name.bytes().all(is_word);
            let name = match is_reserved {
                true => name.to_ascii_lowercase(),
                false => name.to_owned(),
            };
            Ident::with_quote('"', name.replace('"', "\"\"")).to_string()
        })
        .collect()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether `name` is the name of a column without quotes, wherever one may be.
fn is_plain(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.bytes().all(is_word) && is_column(name) && is_declared(name)
}

/// Whether `name` is a column in expressions.
fn is_column(name: &str) -> bool {
    let sql = format!(
        "SELECT {name}, {name} + 1 FROM t WHERE {name} = 1 GROUP BY {name} ORDER BY {name}"
    );
    let Ok(statements) = Parser::parse_sql(&GenericDialect {}, &sql) else {
        return false;
    };
    let [Statement::Query(query)] = statements.as_slice() else {
        return false;
    };
    let SetExpr::Select(select) = &*query.body else {
        return false;
    };
    let [
        SelectItem::UnnamedExpr(Expr::Identifier(found)),
        SelectItem::UnnamedExpr(Expr::BinaryOp { left, .. }),
    ] = select.projection.as_slice()
    else {
        return false;
    };
    found.value == name && matches!(&**left, Expr::Identifier(found) if found.value == name)
}

/// Whether `name` declares a column, and a field of a STRUCT.
fn is_declared(name: &str) -> bool {
    let sql = format!("CREATE TABLE t ({name} BIGINT, s STRUCT<{name} BIGINT>)");
    let Ok(statements) = Parser::parse_sql(&GenericDialect {}, &sql) else {
        return false;
    };
    let [Statement::CreateTable(create)] = statements.as_slice() else {
        return false;
    };
    let [
        ColumnDef { name: found, .. },
        ColumnDef {
            data_type: DataType::Struct(fields, _),
            ..
        },
    ] = create.columns.as_slice()
    else {
        return false;
    };
    let field = fields.first().and_then(|field| field.field_name.as_ref());
    found.value == name && field.is_some_and(|field| field.value == name)
}
