//! The expanded view: each row as a record with one line per column and full values.

use std::fmt::Write as _;
use std::io::{self, Write};

use datafusion::arrow::datatypes::Schema;

use super::cell::{Cell, LineBreaks, Values};
use crate::cli::failure::Failure;

/// Maximum width of the line above a record.
const RULE: usize = 60;

/// Prints records as they arrive.
#[derive(Debug)]
pub(super) struct Records {
    /// The name of each column and its width.
    names: Vec<(String, usize)>,
    /// Width of the widest name.
    width: usize,
    printed: usize,
}

impl Records {
    pub(super) fn new(schema: &Schema) -> Self {
        let names = schema.fields().iter().map(|field| {
            let mut name = String::new();
            let mut cell = Cell::new(&mut name, usize::MAX, LineBreaks::Escaped);
            cell.write_str(field.name())
                .expect("a cell without a limit takes all that is written to it");
            let width = cell.width();
            (name, width)
        });
        let names: Vec<_> = names.collect();
        Self {
            width: names.iter().map(|(_, width)| *width).max().unwrap_or(0),
            names,
            printed: 0,
        }
    }

    pub(super) fn print(
        &mut self,
        out: &mut impl Write,
        values: &Values<'_>,
        row: usize,
    ) -> Result<(), Failure> {
        self.printed += 1;
        let title = format!("-[ RECORD {} ]", self.printed);
        let left = self.width + 1;
        let rule = RULE.saturating_sub(left).max(1);
        writeln!(out, "{title:-<left$}+{:-<rule$}", "")?;
        let mut text = String::new();
        for (i, (name, width)) in self.names.iter().enumerate() {
            text.clear();
            values.write((i, row), &mut text, usize::MAX, LineBreaks::Kept)?;
            let mut lines = text.split('\n');
            let first = lines.next().unwrap_or_default();
            write_line(out, name, self.width - width, first)?;
            for line in lines {
                write_line(out, "", self.width, line)?;
            }
        }
        Ok(())
    }
}

fn write_line(out: &mut impl Write, name: &str, pad: usize, text: &str) -> io::Result<()> {
    let separator = if text.is_empty() { "|" } else { "| " };
    writeln!(out, "{name}{:pad$} {separator}{text}", "")
}
