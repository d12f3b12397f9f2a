//! Formats values of a batch as escaped text, one at a time, and only as much of each as is shown.

use std::fmt::{self, Write};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use unicode_width::UnicodeWidthChar;

use super::binary::write_bytes;
use crate::cli::escape::{is_control, write_escaped};

/// How line breaks in values are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineBreaks {
    /// Escaped, so that a row is one line.
    Escaped,
    /// Kept, for plans and for the expanded view.
    Kept,
}

/// The columns of a batch.
pub(super) struct Values<'a>(Vec<Value<'a>>);

enum Value<'a> {
    Binary(&'a dyn Array),
    Other(ArrayFormatter<'a>),
}

impl<'a> Values<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let options = FormatOptions::default().with_display_error(true);
        let columns = batch.columns().iter().map(|column| {
            Ok(match column.data_type() {
                DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_) => Value::Binary(column),
                _ => Value::Other(ArrayFormatter::try_new(column, &options)?),
            })
        });
        columns.collect::<Result<_, _>>().map(Self)
    }

    /// Appends a value to `text`, at most one terminal column beyond `limit`, and returns its
    /// width.
    pub(super) fn write(
        &self,
        (column, row): (usize, usize),
        text: &mut String,
        limit: usize,
        line_breaks: LineBreaks,
    ) -> Result<usize, ArrowError> {
        let mut cell = Cell::new(text, limit, line_breaks);
        let written = match &self.0[column] {
            Value::Binary(values) if values.is_null(row) => Ok(()),
            Value::Binary(values) => write_bytes(bytes(*values, row), &mut cell)
                .map_err(|error| ArrowError::ExternalError(Box::new(error))),
            Value::Other(formatter) => formatter.value(row).write(&mut cell),
        };
        // A full cell refuses further text, which is not an error.
        if !cell.is_full() {
            written?;
        }
        Ok(cell.width())
    }
}

fn bytes(values: &dyn Array, row: usize) -> &[u8] {
    match values.data_type() {
        DataType::Binary => values.as_binary::<i32>().value(row),
        DataType::LargeBinary => values.as_binary::<i64>().value(row),
        DataType::BinaryView => values.as_binary_view().value(row),
        _ => values.as_fixed_size_binary().value(row),
    }
}

/// Collects the text of one value and refuses more once it is wider than the limit, so that a value
/// of a megabyte costs no more than what is shown of it.
pub(super) struct Cell<'a> {
    text: &'a mut String,
    limit: usize,
    line_breaks: LineBreaks,
    /// Width of the current line.
    width: usize,
    /// Width of the widest earlier line.
    widest: usize,
    chars: usize,
}

impl<'a> Cell<'a> {
    pub(super) fn new(text: &'a mut String, limit: usize, line_breaks: LineBreaks) -> Self {
        Self {
            text,
            limit,
            line_breaks,
            width: 0,
            widest: 0,
            chars: 0,
        }
    }

    /// Any number of zero-width marks may follow a character, so their number is also limited.
    fn is_full(&self) -> bool {
        self.width > self.limit || self.chars > self.limit.saturating_mul(8).saturating_add(64)
    }

    /// The width of the widest line; greater than the limit if text is missing.
    pub(super) fn width(&self) -> usize {
        match self.is_full() {
            true => self.limit.saturating_add(1),
            false => self.widest.max(self.width),
        }
    }
}

impl Write for Cell<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.is_full() {
                return Err(fmt::Error);
            }
            self.chars += 1;
            if c == '\n' && self.line_breaks == LineBreaks::Kept {
                self.text.push(c);
                self.widest = self.widest.max(self.width);
                self.width = 0;
            } else if is_control(c) {
                let before = self.text.len();
                write_escaped(self.text, c)?;
                self.width += self.text.len() - before;
            } else {
                self.text.push(c);
                self.width += c.width().unwrap_or(0);
            }
        }
        Ok(())
    }
}
