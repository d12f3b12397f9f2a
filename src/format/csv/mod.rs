//! Comma-separated values: a line of values, in the order of the declared columns.
//!
//! A document is valid if it has one value for each declared column, its quotes are closed, and it is UTF-8. This
//! is checked whatever columns a query reads.

pub(super) mod line;

use super::BYTE_ORDER_MARK;
use super::columns::{Column, type_name};
use super::documents::{DocumentError, DocumentFailure, Documents};
use super::schema::PayloadSchema;
use crate::options::{CsvOptions, Framing, OnMismatch, TimestampFormat};
use datafusion::arrow::datatypes::DataType;

use self::line::{Line, LineReader, ValueRange};

/// Decodes each line to one value in each column.
#[derive(Debug)]
pub(super) struct CsvDecoder {
    lines: LineReader,
    framing: Framing,
    timestamps: TimestampFormat,
    on_mismatch: OnMismatch,
    null_literal: Option<String>,
    /// The names of the declared columns, one for each value of a line.
    names: Vec<String>,
    /// The columns that are decoded, as indices into `names`.
    decoded: Vec<usize>,
    /// A value without its escapes.
    unescaped: String,
}

impl CsvDecoder {
    /// A decoder of the columns of `schema` with the indices `decoded`.
    pub(super) fn new(schema: &PayloadSchema, csv: &CsvOptions, decoded: &[usize]) -> Self {
        let options = &schema.options;
        let names = schema.fields.iter().map(|field| field.name().clone());
        let names: Vec<String> = names.collect();
        Self {
            lines: LineReader::new(csv, names.len()),
            framing: options.framing,
            timestamps: options.timestamps,
            on_mismatch: options.on_mismatch,
            null_literal: csv.null_literal.clone(),
            names,
            decoded: decoded.to_vec(),
            unescaped: String::new(),
        }
    }

    /// Decodes the lines of one record from `at` on. Returns where to go on if there are enough rows.
    pub(super) fn decode(
        &mut self,
        record: &[u8],
        mut at: usize,
        out: &mut Documents<'_>,
    ) -> Option<usize> {
        if at == 0 && record.starts_with(BYTE_ORDER_MARK) {
            at = BYTE_ORDER_MARK.len();
        }
        if self.framing != Framing::Newline {
            self.only_line(&record[at..], out);
            return None;
        }
        while at < record.len() {
            if out.is_full() {
                return Some(at);
            }
            let rest = &record[at..];
            let line = self.lines.read(rest);
            // An empty line has no value, not even of one column.
            if line.end > 0 {
                self.document(&rest[..line.end], &line, out);
            }
            at += line.next;
            out.decoded_bytes += line.next;
        }
        None
    }

    fn only_line(&mut self, record: &[u8], out: &mut Documents<'_>) {
        let line = self.lines.read(record);
        if line.next < record.len() && line.failure.is_none() {
            let reason = "has a line end within its line: expected one line, or 'kinesis.format.framing' = \
                          'newline'";
            return out.bad(record, DocumentFailure::at(line.end, reason));
        }
        self.document(&record[..line.end], &line, out);
    }

    fn document(&mut self, document: &[u8], line: &Line, out: &mut Documents<'_>) {
        let text = match self.checked(document, line) {
            Ok(text) => text,
            Err(failure) => return out.bad(document, failure),
        };
        let row = out.rows();
        match self.row(text, out) {
            Ok(None) => out.finish_row(None),
            Ok(Some(mismatch)) => out.finish_row(Some(&mismatch.to_string())),
            Err(mismatch) => {
                out.truncate(row);
                out.bad(document, DocumentError::Unfit(mismatch));
            }
        }
    }

    /// The text of a valid document.
    fn checked<'a>(&self, document: &'a [u8], line: &Line) -> Result<&'a str, DocumentFailure> {
        let failure = |byte, value: usize, reason: String| DocumentFailure {
            byte: Some(byte),
            field: self.names.get(value).cloned(),
            reason,
        };
        if let Some(found) = &line.failure {
            return Err(failure(found.byte, found.value, found.reason.to_owned()));
        }
        line.expect_values(self.names.len())?;
        std::str::from_utf8(document).map_err(|error| {
            let byte = error.valid_up_to();
            let mut ranges = self.lines.ranges().iter();
            let value = ranges.position(|range| byte < range.end);
            let value = value.unwrap_or(self.names.len());
            failure(byte, value, "is not valid UTF-8".to_owned())
        })
    }

    /// Appends one value to each column. Returns the first value that does not fit its column; as an error, if
    /// the statement fails.
    fn row(
        &mut self,
        text: &str,
        out: &mut Documents<'_>,
    ) -> Result<Option<DocumentFailure>, DocumentFailure> {
        let mut first = None;
        for (column, index) in out.columns.iter_mut().zip(&self.decoded) {
            let range = self.lines.ranges()[*index];
            let mut value = &text[range.start..range.end];
            if range.is_escaped {
                self.lines.unescape(value, &mut self.unescaped);
                value = &self.unescaped;
            }
            if !range.is_quoted && self.is_null(value, column.data_type()) {
                column.push_null();
                continue;
            }
            if column.push_text(value, self.timestamps).is_ok() {
                continue;
            }
            out.mismatches += 1;
            let mismatch = || self.mismatch(*index, range, value, column);
            if self.on_mismatch == OnMismatch::Fail {
                return Err(mismatch());
            }
            if first.is_none() {
                first = Some(mismatch());
            }
            column.push_null();
        }
        Ok(first)
    }

    /// Whether an unquoted value means NULL.
    fn is_null(&self, value: &str, data_type: &DataType) -> bool {
        match &self.null_literal {
            Some(literal) => value == literal,
            None => value.is_empty() && !data_type.is_string(),
        }
    }

    fn mismatch(
        &self,
        index: usize,
        range: ValueRange,
        value: &str,
        column: &Column,
    ) -> DocumentFailure {
        const SHOWN_CHARS: usize = 40;
        let shown: String = value.chars().take(SHOWN_CHARS).collect();
        let more = if shown.len() < value.len() { "…" } else { "" };
        DocumentFailure {
            byte: Some(range.start),
            field: Some(self.names[index].clone()),
            reason: format!("'{shown}{more}' is no {}", type_name(column.data_type())),
        }
    }
}

#[cfg(test)]
mod tests;
