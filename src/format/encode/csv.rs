//! Rows as lines of CSV, and single values as text.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::Fields;

use super::EncodeError;
use super::documents::EncodedDocuments;
use super::scalars::Scalars;
use crate::error::Result;
use crate::format::BYTE_ORDER_MARK;
use crate::format::documents::DocumentFailure;
use crate::options::{CsvOptions, FormatOptions, Framing, TimestampFormat};

/// A column of a line.
#[derive(Debug)]
struct LineColumn<'a> {
    name: &'a str,
    nulls: Option<&'a NullBuffer>,
    scalars: Scalars<'a>,
}

impl LineColumn<'_> {
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> std::result::Result<(), EncodeError> {
        let written = self.scalars.write(row, out);
        written.map_err(|reason| self.failure(reason))
    }

    fn failure(&self, reason: String) -> EncodeError {
        EncodeError::Value(DocumentFailure {
            byte: None,
            field: Some(self.name.to_owned()),
            reason,
        })
    }
}

fn line_columns<'a>(
    fields: &'a Fields,
    columns: &'a [ArrayRef],
    timestamps: TimestampFormat,
) -> Result<Vec<LineColumn<'a>>> {
    let columns = fields.iter().zip(columns).map(|(field, column)| {
        Ok(LineColumn {
            name: field.name(),
            nulls: column.nulls(),
            scalars: Scalars::new(column, timestamps)?,
        })
    });
    columns.collect()
}

/// The framing of tables that read by lines, in messages.
const BY_LINE: &str = "'kinesis.format.framing' = 'newline'";

/// Refuses a text of which reading by lines would make another value, several or none.
fn expect_line(text: &[u8]) -> std::result::Result<(), String> {
    let why = if text.contains(&b'\n') {
        "has a line end, where reading would split it"
    } else if text.ends_with(b"\r") {
        "ends in a carriage return, which reading would remove"
    } else if text.trim_ascii().is_empty() {
        "is blank, and reading would skip it"
    } else {
        return Ok(());
    };
    Err(format!("{why}: expected one line of text with {BY_LINE}"))
}

/// Adds the value of the only column of each row.
///
/// # Errors
/// A value that is NULL, or a time that has no text; one that is not a line, if tables are read by lines.
pub(super) fn write_text(
    fields: &Fields,
    columns: &[ArrayRef],
    options: &FormatOptions,
    rows: usize,
    documents: &mut EncodedDocuments,
) -> std::result::Result<(), EncodeError> {
    for column in line_columns(fields, columns, options.timestamps)? {
        for row in 0..rows {
            documents.push_with(|out| {
                let start = out.len();
                if column.is_null(row) {
                    let reason = "NULL is no text: expected a value".to_owned();
                    return Err(column.failure(reason));
                }
                match column.scalars.bytes(row) {
                    Some(bytes) => out.extend_from_slice(bytes),
                    None => column.write(row, out)?,
                }
                match options.framing {
                    Framing::Newline => {
                        expect_line(&out[start..]).map_err(|reason| column.failure(reason))
                    }
                    _ => Ok(()),
                }
            })?;
        }
    }
    Ok(())
}

/// Adds one line for each row of `columns`, without a line break at its end.
///
/// # Errors
/// A time that has no text; a NULL that is an empty line, if tables are read by lines.
pub(super) fn write(
    fields: &Fields,
    columns: &[ArrayRef],
    csv: &CsvOptions,
    options: &FormatOptions,
    rows: usize,
    documents: &mut EncodedDocuments,
) -> std::result::Result<(), EncodeError> {
    let columns = line_columns(fields, columns, options.timestamps)?;
    let null = csv.null_literal.as_deref().unwrap_or_default();
    for row in 0..rows {
        documents.push_with(|out| {
            let line = out.len();
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    out.push(csv.delimiter);
                }
                if column.is_null(row) {
                    out.extend_from_slice(null.as_bytes());
                    continue;
                }
                let start = out.len();
                column.write(row, out)?;
                if needs_quotes(&out[start..], csv, columns.len()) {
                    quote(start, csv, out);
                }
            }
            match columns.as_slice() {
                [column] if out.len() == line && options.framing == Framing::Newline => {
                    Err(column.failure(format!(
                        "NULL is an empty line, which reading with {BY_LINE} skips: expected a value, or a text for \
                         NULL in option 'kinesis.csv.nullLiteral'"
                    )))
                }
                _ => Ok(()),
            }
        })?;
    }
    Ok(())
}

/// Whether a value would be read as something else without quotes.
fn needs_quotes(value: &[u8], options: &CsvOptions, columns: usize) -> bool {
    let is_special = |byte: &u8| {
        matches!(byte, b'\n' | b'\r')
            || *byte == options.delimiter
            || *byte == options.quote
            || Some(*byte) == options.escape
    };
    let null = options.null_literal.as_deref();
    // An empty line is no line, and a mark at the start of a record is removed.
    value.iter().any(is_special)
        || value.starts_with(BYTE_ORDER_MARK)
        || null.is_some_and(|null| null.as_bytes() == value)
        || (columns == 1 && value.trim_ascii().is_empty())
}

/// Puts what was written from `start` on in quotes.
fn quote(start: usize, options: &CsvOptions, out: &mut Vec<u8>) {
    let is_escaped = |byte: u8| byte == options.quote || Some(byte) == options.escape;
    let escape = options.escape.unwrap_or(options.quote);
    let end = out.len();
    out.push(options.quote);
    // The quoted value is written behind the plain one and then moved to its place.
    for index in start..end {
        let byte = out[index];
        if is_escaped(byte) {
            out.push(escape);
        }
        out.push(byte);
    }
    out.push(options.quote);
    out.drain(start..end);
}
