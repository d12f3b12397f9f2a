//! Prints what was inferred as a CREATE EXTERNAL TABLE statement with comments.

mod avro;
mod framed;
mod notes;

use std::fmt::{self, Display, Write};

use datafusion::sql::sqlparser::ast::{Ident, Value};

use super::framing::JsonFraming;
use super::names;
use super::{Inferred, InferredFormat};

/// What a secret value is shown as.
pub(crate) const HIDDEN: &str = "...";

/// What the statement says besides what was inferred.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared<'a> {
    /// The name or ARN of the stream.
    pub(crate) location: &'a str,
    /// The name of the stream.
    pub(crate) stream: &'a str,
    /// The region of the stream, if the statement should name it.
    pub(crate) region: Option<&'a str>,
    /// The options of the table that the user gave, as they are to be shown.
    pub(crate) given: &'a [(&'static str, String)],
}

/// A column of the statement.
struct DeclaredColumn {
    /// The name as an identifier.
    name: String,
    sql_type: String,
    comment: String,
}

impl Inferred {
    /// The statement that declares the table, with what was found as comments.
    pub(crate) fn statement(&self, declared: Declared<'_>) -> String {
        let mut text = String::new();
        self.write(declared, &mut text)
            .expect("writing to a String cannot fail");
        text
    }

    fn write(&self, declared: Declared<'_>, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "-- Stream '{}': {}, {}, {} bad.",
            comment(declared.stream),
            counted(self.records, "record"),
            counted(self.documents, "document"),
            self.bad_documents
        )?;
        if let Some(reason) = &self.first_bad {
            writeln!(text, "-- The first bad one: {}.", comment(reason))?;
        }
        for line in self.notes(&declared) {
            writeln!(text, "-- {line}")?;
        }
        if declared.given.iter().any(|(_, value)| value == HIDDEN) {
            writeln!(
                text,
                "-- Replace '{HIDDEN}' by the secrets that belong there."
            )?;
        }
        write!(
            text,
            "CREATE EXTERNAL TABLE {}",
            table_name(declared.stream)
        )?;
        if self.has_columns() {
            self.write_columns(text)?;
        }
        write!(
            text,
            "\nSTORED AS \"aws-kinesis\" LOCATION {}",
            literal(declared.location)
        )?;
        let options: Vec<String> = self
            .options(&declared)
            .into_iter()
            .map(|(name, value)| format!("{} {}", literal(name), literal(value)))
            .collect();
        if !options.is_empty() {
            write!(text, "\nOPTIONS (\n  {}\n)", options.join(",\n  "))?;
        }
        text.push_str(";\n");
        Ok(())
    }

    /// Whether there is a column list.
    fn has_columns(&self) -> bool {
        if let InferredFormat::Avro(_) = self.format {
            return true;
        }
        let is_declared = matches!(
            self.format,
            InferredFormat::Json(_)
                | InferredFormat::JsonBehind { .. }
                | InferredFormat::Csv { .. }
                | InferredFormat::Text { .. }
        );
        is_declared && self.columns.declared().next().is_some()
    }

    fn write_columns(&self, text: &mut String) -> fmt::Result {
        let columns = match &self.format {
            InferredFormat::Avro(avro) => avro::columns(&avro.columns),
            _ => self.observed_columns(),
        };
        text.push_str(" (\n");
        for (index, column) in columns.iter().enumerate() {
            let comma = match index + 1 < columns.len() {
                true => ",",
                false => "",
            };
            let (name, sql_type) = (&column.name, &column.sql_type);
            writeln!(
                text,
                "  {name} {sql_type}{comma}  -- {}",
                comment(&column.comment)
            )?;
        }
        text.push(')');
        Ok(())
    }

    /// The columns for the fields of documents, with what was seen of them.
    fn observed_columns(&self) -> Vec<DeclaredColumn> {
        let declared = self.columns.declared();
        declared
            .map(|(name, field)| {
                let mut comment = format!("in {} of {}", field.present, self.columns.objects());
                if field.nulls > 0 {
                    comment += &format!(", {} NULL", field.nulls);
                }
                match &field.sample {
                    Some(sample) => comment += &format!(", such as {sample}"),
                    None if field.is_only_null() => comment += ", its type is not known",
                    None => {}
                }
                DeclaredColumn {
                    name,
                    sql_type: field.sql_type(),
                    comment,
                }
            })
            .collect()
    }

    /// All options of the statement, each with its value.
    pub(crate) fn options<'a>(&self, declared: &Declared<'a>) -> Vec<(&'static str, &'a str)> {
        let mut options = Vec::new();
        let is_given = |name: &str| declared.given.iter().any(|(given, _)| *given == name);
        if let Some(region) = declared.region
            && !is_given("kinesis.region")
        {
            options.push(("kinesis.region", region));
        }
        let given = declared.given.iter();
        options.extend(given.map(|(name, value)| (*name, value.as_str())));
        let inferred = self.inferred_options().into_iter();
        options.extend(inferred.filter(|(name, _)| !is_given(name)));
        options
    }

    fn inferred_options(&self) -> Vec<(&'static str, &'static str)> {
        let mut options = Vec::new();
        let is_empty = !self.has_columns();
        let (format, framing) = match &self.format {
            InferredFormat::Json(_)
            | InferredFormat::JsonBehind { .. }
            | InferredFormat::Csv { .. }
            | InferredFormat::Text { .. }
                if is_empty =>
            {
                return options;
            }
            InferredFormat::Json(framing) => ("json", framing.option()),
            InferredFormat::JsonBehind { .. } => ("json", None),
            InferredFormat::Csv { by_line, .. } => ("csv", by_line.then_some("newline")),
            InferredFormat::Text { by_line } => ("text", by_line.then_some("newline")),
            InferredFormat::Avro(_) => ("avro", None),
            InferredFormat::CloudWatchLogs => ("cloudwatch_logs", None),
            InferredFormat::DynamoDb => ("dynamodb", None),
            InferredFormat::Nothing | InferredFormat::Framed(_) | InferredFormat::Binary => {
                return options;
            }
        };
        options.push(("kinesis.format", format));
        if let Some(framing) = framing {
            options.push(("kinesis.format.framing", framing));
        }
        if let InferredFormat::Avro(avro) = &self.format
            && let Some(framing) = avro.framing_option()
        {
            options.push(("kinesis.avro.framing", framing));
        }
        if let InferredFormat::JsonBehind { registry, .. } = &self.format {
            options.push(("kinesis.json.header", framed::name(*registry)));
        }
        if let InferredFormat::Csv { delimiter, .. } = &self.format
            && let Some(delimiter) = delimiter.option()
        {
            options.push(("kinesis.csv.delimiter", delimiter));
        }
        if self.compression.is_some() {
            options.push(("kinesis.format.compression", "auto"));
        }
        if self.bad_documents > 0 {
            options.push(("kinesis.format.onError", "null"));
        }
        options
    }
}

impl JsonFraming {
    /// The value of option `kinesis.format.framing`; `None` for the default.
    fn option(self) -> Option<&'static str> {
        match self {
            Self::Record => None,
            Self::Newline => Some("newline"),
            Self::Concatenated => Some("concatenated"),
            Self::Array => Some("array"),
        }
    }
}

/// A name for the table of `stream`: its letters and digits.
fn table_name(stream: &str) -> String {
    let word = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '_',
    };
    let name: String = stream.chars().map(word).collect();
    let name = match name.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("t{name}"),
        false => name,
    };
    let [name] = names::identifiers([name.as_str()].into_iter())
        .try_into()
        .unwrap_or_else(|_| [Ident::with_quote('"', name).to_string()]);
    name
}

fn literal(text: &str) -> impl Display {
    Value::SingleQuotedString(text.to_owned())
}

/// `text` in a comment, which ends at the end of its line.
fn comment(text: &str) -> String {
    let clean = |c: char| match names::is_unprintable(c) {
        true => ' ',
        false => c,
    };
    text.chars().map(clean).collect()
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
