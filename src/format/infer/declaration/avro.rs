//! The columns of Avro documents in SQL, and what to know about them.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::sql::sqlparser::ast::Ident;

use super::DeclaredColumn;
use crate::format::avro::SchemaColumns;
use crate::format::columns::type_name;
use crate::format::infer::avro::InferredAvro;
use crate::format::infer::names::identifiers;

/// The columns in SQL.
pub(super) fn columns(found: &SchemaColumns) -> Vec<DeclaredColumn> {
    let names = identifiers(found.columns.iter().map(|column| column.name.as_str()));
    let columns = found.columns.iter().zip(names);
    columns
        .map(|(column, name)| DeclaredColumn {
            // In lower case it would be the name of neither field.
            name: match column.is_ambiguous {
                true => Ident::with_quote('"', column.name.replace('"', "\"\"")).to_string(),
                false => name,
            },
            sql_type: sql_type(&column.data_type),
            comment: column.note.clone(),
        })
        .collect()
}

/// The type in SQL, with names in quotes where they need them.
fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP(0)".to_owned(),
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP(3)".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP(6)".to_owned(),
        DataType::List(item) => format!("{}[]", sql_type(item.data_type())),
        DataType::Struct(fields) => {
            let names = identifiers(fields.iter().map(|field| field.name().as_str()));
            let fields = fields.iter().zip(names);
            let fields: Vec<String> = fields
                .map(|(field, name)| format!("{name} {}", sql_type(field.data_type())))
                .collect();
            format!("STRUCT<{}>", fields.join(", "))
        }
        other => type_name(other).into_owned(),
    }
}

/// What the reader has to know. `compressed` says whether payloads are, and `suits` whether a document is valid, or there
/// are none.
pub(super) fn notes(avro: &InferredAvro, compressed: &str, suits: bool) -> Vec<String> {
    let mut notes = Vec::new();
    match avro.schemas.as_slice() {
        [name] if name.is_empty() && !suits => notes.push(format!(
            "No document suits the given schema: the payloads{compressed} were written with another one, or are no Avro."
        )),
        [name] if name.is_empty() => {
            notes.push(format!(
                "The payloads{compressed} are Avro with the given schema."
            ));
        }
        names => notes.push(format!(
            "The payloads{compressed} are Avro with {}; the newest is the first.",
            names.join(", ")
        )),
    }
    let unusable = avro.unusable.iter();
    notes.extend(unusable.map(|reason| format!("A record {}.", super::comment(reason))));
    notes.push("The types fit these schemas; later ones may have others.".to_owned());
    if avro.columns.left_out {
        notes.push(
            "Some fields are left out: they differ from others only in case, or have no printable name.".to_owned(),
        );
    }
    notes
}
