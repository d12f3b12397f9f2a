//! The value of `kinesis.extraColumns`.

use super::{Parsed, choice};
use crate::options::{MetadataColumn, RequestedColumn};

/// Names of metadata columns separated by commas, each optionally with a name in the table: `shardId AS shard`.
pub(in crate::options) fn columns(text: &str) -> Parsed<Vec<RequestedColumn>> {
    let known = MetadataColumn::ALL.map(|column| (column.name(), column));
    let mut columns: Vec<RequestedColumn> = Vec::new();
    for item in outside_quotes(text, |c| c == ',') {
        let words = outside_quotes(item, char::is_whitespace);
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let (name, alias) = match words.as_slice() {
            [name] => (*name, None),
            [name, keyword, alias] if keyword.eq_ignore_ascii_case("as") => (*name, Some(*alias)),
            _ => (item, None),
        };
        let column = choice(name, &known).map_err(|expected| {
            format!("{expected}, or several of them, separated by commas, each optionally with AS and a name")
        })?;
        let name = match alias {
            None => column.name().to_owned(),
            Some(alias) => sql_name(alias)?,
        };
        let is_same = |other: &RequestedColumn| other.name == name || other.column == column;
        if columns.iter().any(is_same) {
            return Err(format!("duplicate value '{}'", item.trim()));
        }
        columns.push(RequestedColumn { column, name });
    }
    Ok(columns)
}

/// The parts of `text` between characters that separate them, except within double quotes.
fn outside_quotes(text: &str, separates: impl Fn(char) -> bool) -> Vec<&str> {
    let mut is_quoted = false;
    let ends = |c: char| {
        is_quoted ^= c == '"';
        !is_quoted && separates(c)
    };
    text.split(ends).collect()
}

/// A name as SQL reads it: in lower case unless it is quoted. A quote within quotes is doubled.
fn sql_name(text: &str) -> Parsed<String> {
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let has_quote = |text: &str| text.contains('"');
    let (name, is_valid) = match quoted {
        Some(quoted) => (
            quoted.replace("\"\"", "\""),
            !quoted.split("\"\"").any(has_quote),
        ),
        None => (text.to_ascii_lowercase(), !has_quote(text)),
    };
    match is_valid && !name.is_empty() {
        true => Ok(name),
        false => {
            Err("expected a name after AS, such as shard, or \"Shard\" to keep its case".to_owned())
        }
    }
}
