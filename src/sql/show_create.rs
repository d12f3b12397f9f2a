//! The text of CREATE EXTERNAL TABLE for `SHOW CREATE TABLE`, with secrets masked.

use std::fmt::Write;

use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::{CreateExternalTable, Statement};
use datafusion::sql::sqlparser::ast::{Ident, Value};

use crate::options::{all, may_hold_secret};

const MASK: &str = "***";

/// Parts of option names whose values are secret, for tables other than Kinesis tables.
const SECRET_WORDS: [&str; 9] = [
    "secret",
    "token",
    "password",
    "access_key",
    "accesskey",
    "account_key",
    "external_id",
    "sas_key",
    "credential",
];

/// Stores the statement text in the plan that creates the table. DataFusion's own text omits `UNBOUNDED` and
/// the options.
pub(super) fn keep(definition: Option<String>, plan: &mut LogicalPlan) {
    if let LogicalPlan::Ddl(DdlStatement::CreateExternalTable(command)) = plan
        && definition.is_some()
    {
        command.definition = definition;
    }
}

/// The text of `statement` if it creates an external table.
pub(super) fn definition(statement: &Statement) -> Option<String> {
    let Statement::CreateExternalTable(create) = statement else {
        return None;
    };
    let mut text = String::new();
    write_definition(create, &mut text).expect("writing to a String cannot fail");
    Some(text)
}

fn write_definition(create: &CreateExternalTable, text: &mut String) -> std::fmt::Result {
    let unbounded = if create.unbounded { "UNBOUNDED " } else { "" };
    write!(text, "CREATE {unbounded}EXTERNAL TABLE {}", create.name)?;
    if !create.columns.is_empty() {
        write!(text, " (\n  {}\n)", list(&create.columns))?;
    }
    write!(text, "\nSTORED AS {}", format_name(&create.file_type))?;
    if !create.table_partition_cols.is_empty() {
        write!(
            text,
            "\nPARTITIONED BY ({})",
            create.table_partition_cols.join(", ")
        )?;
    }
    for exprs in &create.order_exprs {
        write!(text, "\nWITH ORDER ({})", list(exprs))?;
    }
    let locations = create
        .locations
        .iter()
        .map(|location| match may_hold_secret(location) {
            true => quoted(MASK),
            false => quoted(location),
        });
    let locations: Vec<_> = locations.collect();
    match locations.as_slice() {
        [location] => write!(text, "\nLOCATION {location}")?,
        locations => write!(text, "\nLOCATION ({})", locations.join(", "))?,
    }
    let options = create.options.iter().map(|(name, value)| {
        let value = match is_secret(name, value) {
            true => quoted(MASK),
            false => value.to_string(),
        };
        format!("{} {value}", quoted(name))
    });
    let options: Vec<_> = options.collect();
    if !options.is_empty() {
        write!(text, "\nOPTIONS (\n  {}\n)", options.join(",\n  "))?;
    }
    Ok(())
}

fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    items.join(", ")
}

/// `CSV` unchanged; `"aws-kinesis"` in quotes, because it is not a plain identifier.
fn format_name(name: &str) -> String {
    match name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        true => name.to_owned(),
        false => Ident::with_quote('"', name).to_string(),
    }
}

fn quoted(text: &str) -> String {
    Value::SingleQuotedString(text.to_owned()).to_string()
}

fn is_secret(name: &str, value: &Value) -> bool {
    let known = all().find(|option| option.name.eq_ignore_ascii_case(name));
    let name = name.to_ascii_lowercase();
    known.map_or_else(
        || SECRET_WORDS.iter().any(|word| name.contains(word)),
        |option| option.secret,
    ) || may_hold_secret(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    fn definition_of(sql: &str) -> String {
        definition(&DFParser::parse_sql(sql).unwrap()[0]).unwrap()
    }

    #[test]
    fn the_text_is_a_valid_statement() {
        let sql = "CREATE UNBOUNDED EXTERNAL TABLE \"My words\"\nSTORED AS \"AWS-KINESIS\"\n\
                   LOCATION 'it''s'\nOPTIONS (\n  'kinesis.startingPosition' 'LATEST',\n  \
                   'kinesis.region' 'eu-west-1'\n)";
        assert_eq!(definition_of(sql), sql);
        let csv = "CREATE EXTERNAL TABLE t (\n  a INT, b VARCHAR NOT NULL\n)\nSTORED AS CSV\n\
                   PARTITIONED BY (b)\nLOCATION '/tmp/x/'";
        assert_eq!(definition_of(csv), csv);
    }

    #[test]
    fn secret_values_are_masked() {
        for option in [
            "'kinesis.AWSSECRETKEY' 'hunter2'",
            "'kinesis.stsExternalId' 'hunter2'",
            "'kinesis.endpointUrl' 'https://me:hunter2@localhost'",
            "'aws.secret_access_key' 'hunter2'",
            "'aws.session_token' 'hunter2'",
        ] {
            let text = definition_of(&format!(
                "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x' OPTIONS ({option})"
            ));
            assert!(
                !text.contains("hunter2") && text.contains("'***'"),
                "{text}"
            );
        }
        let text =
            definition_of("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 's3://me:hunter2@b/'");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
