//! Prints results on stdout: csv and json as batches come, a table when all rows of a page are there.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, UInt64Array};
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json;
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use tokio::time::Instant;

use super::args::Format;
use super::failure::Failure;
use super::readable::{readable, readable_schema};

/// A longer table is printed as several: a frame needs the widths of all its rows, which are held until then.
const PAGE_ROWS: usize = 10_000;

/// What a statement gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Yield {
    /// Rows to look at; a schema without columns is a statement that has nothing to show.
    Rows,
    /// One row with the number of rows it wrote.
    Count,
}

/// How results are printed, the same for all statements of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) format: Format,
    /// Rows of a table after which the others are only counted.
    pub(super) table_limit: Option<usize>,
}

/// Prints the result of one statement.
#[derive(Debug)]
pub(super) struct Printer {
    output: Output,
    yields: Yield,
    schema: SchemaRef,
    /// It waits for the first rows or the end: a statement that fails before has no result.
    header_due: bool,
    /// The page to be printed next.
    kept: Vec<RecordBatch>,
    kept_rows: usize,
    rows: usize,
    written: u64,
    started: Instant,
}

impl Printer {
    pub(super) fn new(output: Output, yields: Yield, schema: &Schema, started: Instant) -> Self {
        Self {
            output,
            yields,
            schema: readable_schema(schema),
            header_due: output.format == Format::Csv,
            kept: Vec::new(),
            kept_rows: 0,
            rows: 0,
            written: 0,
            started,
        }
    }

    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        if self.schema.fields().is_empty() {
            return Ok(());
        }
        match (self.output.format, self.yields) {
            (Format::Table, Yield::Count) => self.written += count(batch),
            (Format::Table, Yield::Rows) => self.keep(batch)?,
            (Format::Csv, _) => {
                let header = std::mem::take(&mut self.header_due);
                print(&csv_bytes(&readable(batch, &self.schema)?, header)?)?;
            }
            (Format::Json, _) => print(&json_bytes(&readable(batch, &self.schema)?)?)?,
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Prints what is left and gives a line about the result: it is for the caller, who knows whether the user still waits.
    pub(super) fn finish(mut self) -> Result<Option<String>, Failure> {
        if self.schema.fields().is_empty() {
            return Ok(None);
        }
        if self.header_due {
            print(&csv_bytes(&RecordBatch::new_empty(self.schema), true)?)?;
            return Ok(None);
        }
        if self.output.format != Format::Table {
            return Ok(None);
        }
        if self.yields == Yield::Count {
            let written = format!("{} written", rows(self.written));
            return Ok(Some(note(&written, self.started)));
        }
        self.page()?;
        Ok(match self.output.table_limit {
            Some(limit) if limit < self.rows => Some(left_out(limit, self.rows)),
            _ if io::stderr().is_terminal() => Some(note(&rows(self.rows as u64), self.started)),
            _ => None,
        })
    }

    /// Ends a batch of rows out of many: those of a table are printed now, and counted anew from here on. Gives a line
    /// about what was left out.
    pub(super) fn frame(&mut self) -> Result<Option<String>, Failure> {
        let rows = std::mem::take(&mut self.rows);
        if !self.kept.is_empty() {
            self.page()?;
        }
        Ok(match (self.output.format, self.output.table_limit) {
            (Format::Table, Some(limit)) if limit < rows => Some(left_out(limit, rows)),
            _ => None,
        })
    }

    /// Ends what [`frame`](Self::frame) has printed in parts.
    pub(super) fn finish_frames(self) -> Result<(), Failure> {
        if self.header_due && !self.schema.fields().is_empty() {
            print(&csv_bytes(&RecordBatch::new_empty(self.schema), true)?)?;
        }
        Ok(())
    }

    fn page(&mut self) -> Result<(), Failure> {
        let kept = std::mem::take(&mut self.kept);
        self.kept_rows = 0;
        let table = pretty_format_batches_with_schema(Arc::clone(&self.schema), &kept)?;
        print(format!("{table}\n").as_bytes())?;
        Ok(())
    }

    fn keep(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let limit = self.output.table_limit.unwrap_or(usize::MAX);
        let room = limit.saturating_sub(self.rows).min(batch.num_rows());
        let mut from = 0;
        while from < room {
            // A full page waits for a row behind it, so that none without rows follows.
            if self.kept_rows == PAGE_ROWS {
                self.page()?;
            }
            let length = (PAGE_ROWS - self.kept_rows).min(room - from);
            let part = readable(&batch.slice(from, length), &self.schema)?;
            self.kept.push(part);
            self.kept_rows += length;
            from += length;
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
    format!("the first {limit} of {rows} rows; --output csv or json prints all")
}

fn rows(count: u64) -> String {
    match count {
        1 => "1 row".to_owned(),
        _ => format!("{count} rows"),
    }
}

/// A line for stderr; on a terminal it is dim and says how long the statement took.
pub(super) fn note(text: &str, started: Instant) -> String {
    if io::stderr().is_terminal() {
        let seconds = started.elapsed().as_secs_f64();
        format!("\x1b[2m{text} in {seconds:.3} s\x1b[0m")
    } else {
        text.to_owned()
    }
}

fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn csv_bytes(batch: &RecordBatch, header: bool) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    csv::WriterBuilder::new()
        .with_header(header)
        .build(&mut bytes)
        .write(batch)?;
    Ok(bytes)
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
