//! Prints results on stdout: CSV and JSON as batches arrive, a table once all rows of a page are
//! known.

mod binary;
mod cell;
mod csv;
mod expanded;
mod table;

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::ValueEnum;
use datafusion::arrow::array::{RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};
use tokio::time::Instant;

use super::failure::Failure;
use binary::{text_schema, with_text_columns};
use cell::{LineBreaks, Values};
use expanded::Records;
use table::Page;

/// What kind of result a statement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResultKind {
    /// Rows. A schema without columns means that there is nothing to show.
    Rows,
    /// A plan or a statement, which has several lines.
    Text,
    /// One row with the number of rows written.
    Count,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A framed table, printed at the end of the statement or every 10,000 rows or 8 MiB
    Table,
    /// A header and rows, as they arrive
    Csv,
    /// One JSON object per line, as they arrive
    Json,
}

/// Output settings, the same for all statements of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) format: Format,
    /// Maximum rows of a table; further rows are only counted.
    pub(super) table_limit: Option<usize>,
    pub(super) width: Width,
    /// Print rows as records, one line per column.
    pub(super) expanded: bool,
}

/// Maximum width of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// The terminal's width, or unlimited if stdout is not a terminal.
    Terminal,
    Columns(usize),
    Unlimited,
}

impl From<Option<usize>> for Width {
    /// As written on the command line: 0 means unlimited.
    fn from(columns: Option<usize>) -> Self {
        match columns {
            None => Self::Terminal,
            Some(0) => Self::Unlimited,
            Some(columns) => Self::Columns(columns),
        }
    }
}

impl Width {
    /// The limit in columns, from the terminal's current size.
    fn limit(self) -> Option<usize> {
        match self {
            // The editor is used only to query the terminal size portably; it reads and writes
            // nothing.
            Self::Terminal => Editor::<(), DefaultHistory>::with_config(Config::default())
                .ok()
                .and_then(|mut editor| editor.dimensions())
                .map(|(columns, _)| usize::from(columns)),
            Self::Columns(columns) => Some(columns),
            Self::Unlimited => None,
        }
    }
}

/// Prints the result of one statement.
#[derive(Debug)]
pub(super) struct Printer {
    output: Output,
    kind: ResultKind,
    schema: SchemaRef,
    /// Whether the header has yet to be printed. It is printed with the first rows or at the end,
    /// because a failed statement has no result.
    header_due: bool,
    view: View,
    /// Whether a value was cut to fit the table width.
    cut: bool,
    rows: usize,
    written: u64,
    started: Instant,
}

/// How rows are shown.
#[derive(Debug)]
enum View {
    Table(Page),
    Expanded(Records),
}

impl Printer {
    pub(super) fn new(output: Output, kind: ResultKind, schema: &Schema, started: Instant) -> Self {
        let page = |limit, line_breaks| View::Table(Page::new(schema, limit, line_breaks));
        Self {
            output,
            kind,
            schema: text_schema(schema),
            header_due: output.format == Format::Csv,
            view: match (kind, output.expanded) {
                // A statement is useful only in full.
                (ResultKind::Text, false) => page(None, LineBreaks::Kept),
                (_, false) => page(output.width.limit(), LineBreaks::Escaped),
                (_, true) => View::Expanded(Records::new(schema)),
            },
            cut: false,
            rows: 0,
            written: 0,
            started,
        }
    }

    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        if self.schema.fields().is_empty() {
            return Ok(());
        }
        match (self.output.format, self.kind) {
            (Format::Table, ResultKind::Count) => self.written += count(batch),
            (Format::Table, ResultKind::Rows | ResultKind::Text) => self.show(batch)?,
            (Format::Csv, _) => {
                if std::mem::take(&mut self.header_due) {
                    print(&csv::header(&self.schema))?;
                }
                print(&csv::rows(&with_text_columns(batch, &self.schema)?)?)?;
            }
            (Format::Json, _) => print(&json_bytes(&with_text_columns(batch, &self.schema)?)?)?,
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Prints the remaining rows and returns a summary line. The caller prints it, because only the
    /// caller knows whether the user is still waiting.
    pub(super) fn finish(mut self) -> Result<Option<String>, Failure> {
        if self.schema.fields().is_empty() {
            return Ok(None);
        }
        if self.header_due {
            print(&csv::header(&self.schema))?;
            return Ok(None);
        }
        if self.output.format != Format::Table {
            return Ok(None);
        }
        if self.kind == ResultKind::Count {
            let written = format!("{} written", rows(self.written));
            return Ok(Some(timed(&written, self.started)));
        }
        self.page()?;
        let counted = match self.output.table_limit {
            Some(limit) if limit < self.rows => Some(left_out(limit, self.rows)),
            _ if io::stderr().is_terminal() => Some(timed(&rows(self.rows as u64), self.started)),
            _ => None,
        };
        Ok(self.with_cuts(counted))
    }

    /// Ends one batch of a stream: prints its table rows and restarts the row count. Returns a line
    /// about omitted rows.
    pub(super) fn frame(&mut self) -> Result<Option<String>, Failure> {
        let rows = std::mem::take(&mut self.rows);
        if matches!(&self.view, View::Table(page) if page.rows() > 0) {
            self.page()?;
        }
        Ok(match (self.output.format, self.output.table_limit) {
            (Format::Table, Some(limit)) if limit < rows => Some(left_out(limit, rows)),
            _ => None,
        })
    }

    /// Forgets the rows of a batch that was not ended by [`frame`](Self::frame). Rows that were printed stay.
    pub(super) fn discard_frame(&mut self) {
        self.rows = 0;
        if let View::Table(page) = &mut self.view {
            page.clear();
        }
    }

    /// Ends a result that was printed with [`frame`](Self::frame).
    pub(super) fn finish_frames(self) -> Result<Option<String>, Failure> {
        if self.header_due && !self.schema.fields().is_empty() {
            print(&csv::header(&self.schema))?;
        }
        Ok(self.with_cuts(None))
    }

    /// Adds a note about cut values if stderr is a terminal.
    fn with_cuts(&self, line: Option<String>) -> Option<String> {
        const CUT: &str = "values ending in … are cut; \\x or --expanded shows them in full";
        match self.cut && io::stderr().is_terminal() {
            true => Some(line.map_or(CUT.to_owned(), |line| format!("{line}; {CUT}"))),
            false => line,
        }
    }

    fn page(&mut self) -> Result<(), Failure> {
        if let View::Table(page) = &mut self.view {
            let mut stdout = BufWriter::new(io::stdout().lock());
            self.cut |= page.print(&mut stdout)?;
            stdout.flush()?;
        }
        Ok(())
    }

    /// Prints records, or keeps rows until their table is printed.
    fn show(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let limit = self.output.table_limit.unwrap_or(usize::MAX);
        let room = limit.saturating_sub(self.rows).min(batch.num_rows());
        let values = Values::of(batch)?;
        match &mut self.view {
            View::Expanded(records) => {
                let mut stdout = BufWriter::new(io::stdout().lock());
                for row in 0..room {
                    records.print(&mut stdout, &values, row)?;
                }
                stdout.flush()?;
            }
            View::Table(_) => {
                for row in 0..room {
                    self.keep(&values, row)?;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, values: &Values<'_>, row: usize) -> Result<(), Failure> {
        // A full page is printed only when another row follows, so that the last page is never
        // empty.
        if matches!(&self.view, View::Table(page) if page.is_full()) {
            self.page()?;
        }
        if let View::Table(page) = &mut self.view {
            page.add(values, row)?;
        }
        Ok(())
    }
}

fn count(batch: &RecordBatch) -> u64 {
    let counts = batch.columns().first();
    let counts = counts.and_then(|column| column.as_any().downcast_ref::<UInt64Array>());
    counts.map_or(0, |counts| counts.iter().flatten().sum())
}

fn left_out(limit: usize, rows: usize) -> String {
    format!("showing {limit} of {rows} rows; --output csv or json prints all")
}

fn rows(count: u64) -> String {
    match count {
        1 => "1 row".to_owned(),
        _ => format!("{count} rows"),
    }
}

/// Adds the elapsed time if stderr is a terminal.
pub(super) fn timed(text: &str, started: Instant) -> String {
    match io::stderr().is_terminal() {
        true => format!("{text} in {:.3} s", started.elapsed().as_secs_f64()),
        false => text.to_owned(),
    }
}

fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn json_bytes(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, json::writer::LineDelimited>(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    Ok(writer.into_inner())
}

#[cfg(test)]
mod tests;
