mod documents;
mod headers;
mod hostile;
mod mismatches;
mod random;
mod spark;
mod suite;
mod types;

use crate::format::testing::TestTable;

/// A table of JSON documents with these columns and options.
fn json(columns: &str, options: &[(&str, &str)]) -> TestTable {
    TestTable::new(columns, &[&[("format", "json")], options].concat())
}

/// The value of the JSON text `value` in a column of the type `sql_type`, and why it is NULL otherwise.
fn read(sql_type: &str, value: &str, options: &[(&str, &str)]) -> String {
    let options = [&[("format.errorColumn", "why")], options].concat();
    let row = json(&format!("v {sql_type}"), &options).row(format!("{{\"v\":{value}}}"));
    match row.split_once(" | ") {
        Some((found, "NULL")) => found.to_owned(),
        Some((_, why)) => why.to_owned(),
        None => row,
    }
}
