//! Framed tables: keeps rows as text until the column widths are known.

use std::io::{self, Write};

use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::error::ArrowError;
use unicode_width::UnicodeWidthChar;

use super::cell::{Cell, LineBreaks, Values};

/// A frame needs the widths of all its rows, so a longer table is printed in parts.
const PAGE_ROWS: usize = 10_000;

/// The same limit for tables of long values.
const PAGE_BYTES: usize = 8 << 20;

/// Maximum padding of a column if nothing is cut. A longer value extends beyond the frame;
/// otherwise one value of a megabyte would pad each of 10,000 rows with a megabyte of spaces.
const PADDED: usize = 256;

/// No column is cut below this width.
const NARROWEST: usize = 8;

const CUT: char = '…';

/// The rows of the next table to print.
#[derive(Debug)]
pub(super) struct Page {
    names: Vec<Text>,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    limit: Option<usize>,
    line_breaks: LineBreaks,
}

#[derive(Debug, Default)]
struct Column {
    text: String,
    /// End offset in `text` and width of each value.
    values: Vec<(usize, usize)>,
    widest: usize,
}

#[derive(Debug)]
struct Text {
    text: String,
    width: usize,
}

impl Page {
    /// An empty page whose table is at most `limit` wide; `None` means unlimited.
    pub(super) fn new(schema: &Schema, limit: Option<usize>, line_breaks: LineBreaks) -> Self {
        let names = schema.fields().iter().map(|field| {
            let mut text = String::new();
            let mut cell = Cell::new(&mut text, limit.unwrap_or(usize::MAX), LineBreaks::Escaped);
            // The cell refuses the end of a name that is too long.
            let _ = std::fmt::Write::write_str(&mut cell, field.name());
            let width = cell.width();
            Text { text, width }
        });
        let names: Vec<_> = names.collect();
        Self {
            columns: names.iter().map(|_| Column::default()).collect(),
            names,
            rows: 0,
            bytes: 0,
            limit,
            line_breaks,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= PAGE_ROWS || self.bytes >= PAGE_BYTES
    }

    pub(super) fn add(&mut self, values: &Values<'_>, row: usize) -> Result<(), ArrowError> {
        let limit = self.limit.unwrap_or(usize::MAX);
        for (i, column) in self.columns.iter_mut().enumerate() {
            let before = column.text.len();
            let width = values.write((i, row), &mut column.text, limit, self.line_breaks)?;
            column.values.push((column.text.len(), width));
            column.widest = column.widest.max(width);
            self.bytes += column.text.len() - before;
        }
        self.rows += 1;
        Ok(())
    }

    /// Prints and removes the rows. Returns whether a value was cut.
    pub(super) fn print(&mut self, out: &mut impl Write) -> io::Result<bool> {
        let widths = self.widths();
        let rule = rule(&widths);
        writeln!(out, "{rule}")?;
        let names = self
            .names
            .iter()
            .map(|name| (name.text.as_str(), name.width));
        let mut cut = self.line(&mut *out, names, &widths)?;
        writeln!(out, "{rule}")?;
        for row in 0..self.rows {
            let values = self.columns.iter().map(|column| column.value(row));
            cut |= match self.line_breaks {
                LineBreaks::Escaped => self.line(&mut *out, values, &widths)?,
                LineBreaks::Kept => {
                    self.multiline_row(&mut *out, values.map(|(text, _)| text), &widths)?
                }
            };
        }
        writeln!(out, "{rule}")?;
        self.clear();
        Ok(cut)
    }

    /// Removes the rows.
    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.bytes = 0;
        self.columns.fill_with(Column::default);
    }

    /// The width of each column: that of its widest text, reduced if the table would be too wide.
    fn widths(&self) -> Vec<usize> {
        let columns = self.names.iter().zip(&self.columns);
        let widths = columns.map(|(name, column)| name.width.max(column.widest));
        match self.limit {
            Some(limit) => fit(&widths.collect::<Vec<_>>(), limit),
            None => widths.map(|width| width.min(PADDED)).collect(),
        }
    }

    /// Prints one line of cells. Returns whether a value was cut.
    fn line<'a>(
        &self,
        out: &mut impl Write,
        cells: impl Iterator<Item = (&'a str, usize)>,
        widths: &[usize],
    ) -> io::Result<bool> {
        let mut cut = false;
        for ((text, width), room) in cells.zip(widths) {
            if width <= *room || self.limit.is_none() {
                write!(out, "| {text}{:1$} ", "", room.saturating_sub(width))?;
            } else {
                let (text, width) = shortened(text, room - 1);
                write!(out, "| {text}{CUT}{:1$} ", "", room - 1 - width)?;
                cut = true;
            }
        }
        writeln!(out, "|")?;
        Ok(cut)
    }

    /// Prints a row whose values may have several lines.
    fn multiline_row<'a>(
        &self,
        out: &mut impl Write,
        values: impl Iterator<Item = &'a str>,
        widths: &[usize],
    ) -> io::Result<bool> {
        let mut values: Vec<_> = values.map(|text| text.split('\n')).collect();
        let mut cut = false;
        loop {
            let mut some = false;
            let cells: Vec<_> = values
                .iter_mut()
                .map(|lines| {
                    let line = lines.next();
                    some |= line.is_some();
                    line.unwrap_or_default()
                })
                .map(|line| (line, line.chars().filter_map(char::width).sum()))
                .collect();
            if !some {
                return Ok(cut);
            }
            cut |= self.line(&mut *out, cells.into_iter(), widths)?;
        }
    }
}

impl Column {
    fn value(&self, row: usize) -> (&str, usize) {
        let start = row.checked_sub(1).map_or(0, |before| self.values[before].0);
        let (end, width) = self.values[row];
        (&self.text[start..end], width)
    }
}

fn rule(widths: &[usize]) -> String {
    let mut rule: String = widths
        .iter()
        .map(|width| format!("+{:-<1$}", "", width + 2))
        .collect();
    rule.push('+');
    rule
}

/// Shrinks the widest columns until the table is at most `limit` wide.
fn fit(widths: &[usize], limit: usize) -> Vec<usize> {
    let frame = 3 * widths.len() + 1;
    let mut room = limit.saturating_sub(frame);
    let mut columns = widths.len();
    let mut ascending = widths.to_vec();
    ascending.sort_unstable();
    let mut share = usize::MAX;
    for width in ascending {
        let even = room / columns;
        if width > even {
            share = even.max(NARROWEST);
            break;
        }
        room -= width;
        columns -= 1;
    }
    widths.iter().map(|width| *width.min(&share)).collect()
}

/// The longest prefix of `text` that fits into `room`, and its width.
fn shortened(text: &str, room: usize) -> (&str, usize) {
    let mut width = 0;
    for (at, c) in text.char_indices() {
        let wider = width + c.width().unwrap_or(0);
        if wider > room {
            return (&text[..at], width);
        }
        width = wider;
    }
    (text, width)
}

#[cfg(test)]
mod tests;
