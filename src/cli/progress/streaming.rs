//! The progress line of a streaming statement, and its closing note.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::line::{Line, RATE_WINDOW, grouped, lag};
use crate::model::BatchId;
use crate::query::{StreamingQuery, StreamingQueryListener, StreamingQueryProgress};

/// Counts the completed batches of one statement.
#[derive(Debug, Default)]
pub(in crate::cli) struct Tally(Mutex<Done>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Done {
    batches: u64,
    rows: u64,
    newest: Option<BatchId>,
    behind: Duration,
    losses: u64,
    /// Those of earlier runs.
    earlier_losses: u64,
    skipped: u64,
    unfit: u64,
    /// Rows without a window that is still open.
    dropped: u64,
}

impl Tally {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the number of data losses that the query has found.
    pub(in crate::cli) fn found_losses(&self, losses: u64) {
        let mut done = self.done();
        done.losses = done.earlier_losses + losses;
    }

    /// Another run begins, whose losses are counted from zero.
    pub(in crate::cli) fn begin_run(&self) {
        let mut done = self.done();
        done.earlier_losses = done.losses;
    }

    /// The counts in words.
    pub(in crate::cli) fn summary(&self) -> String {
        let done = *self.done();
        let mut summary = format!(
            "{}, {} read",
            counted(done.batches, "batch", "batches"),
            counted(done.rows, "row", "rows")
        );
        if let Some(losses) = losses(done.losses) {
            summary = format!("{summary}, {losses}");
        }
        if let Some(skipped) = skipped(done.skipped) {
            summary = format!("{summary}, {skipped}");
        }
        if let Some(unfit) = unfit(done.unfit) {
            summary = format!("{summary}, {unfit}");
        }
        if done.dropped > 0 {
            let dropped = counted(done.dropped, "row", "rows");
            summary = format!(
                "{summary}, {dropped} dropped that came after the watermark or had no event time"
            );
        }
        summary
    }
}

impl StreamingQueryListener for Tally {
    fn on_progress(&self, progress: &StreamingQueryProgress) {
        let mut done = self.done();
        done.batches += 1;
        done.rows += progress.num_input_rows;
        done.newest = Some(progress.batch_id);
        let sources = progress.sources.iter();
        let behind = sources.clone();
        let behind = behind.filter_map(|source| source.metrics.max_behind_latest);
        done.behind = behind.max().unwrap_or_default();
        let losses: u64 = sources.clone().map(|source| source.metrics.losses).sum();
        done.losses = done.earlier_losses + losses;
        for payload in sources.filter_map(|source| source.payload.as_ref()) {
            done.skipped += payload.skipped_documents;
            done.unfit += payload.type_mismatches;
        }
        if let Some(state) = &progress.state_operator {
            done.dropped += state.rows_dropped_by_watermark;
        }
    }
}

/// A message about data losses; `None` if there are none.
pub(in crate::cli) fn losses(count: u64) -> Option<String> {
    let counted = || counted(count, "data loss", "data losses");
    (count > 0).then(|| {
        format!(
            "{} (records were gone before they were read: see the warnings)",
            counted()
        )
    })
}

/// A message about documents that were skipped; `None` if there are none.
pub(in crate::cli) fn skipped(count: u64) -> Option<String> {
    let counted = || counted(count, "document", "documents");
    (count > 0).then(|| format!("{} skipped that cannot be parsed", counted()))
}

/// A message about values that did not fit their columns; `None` if there are none.
pub(in crate::cli) fn unfit(count: u64) -> Option<String> {
    let counted = || counted(count, "value does", "values do");
    (count > 0).then(|| {
        format!(
            "{} not fit the type of the column (NULL instead: see option 'kinesis.format.errorColumn')",
            counted()
        )
    })
}

fn counted(count: u64, one: &str, many: &str) -> String {
    let name = if count == 1 { one } else { many };
    format!("{} {name}", grouped(count))
}

/// The contents of one progress line.
#[derive(Debug)]
struct Snapshot<'a> {
    done: Done,
    rows_per_second: f64,
    state: &'a str,
}

impl fmt::Display for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(batch) = self.done.newest {
            let rate = grouped(self.rows_per_second.round() as u64);
            write!(f, "batch {batch}  {rate} rows/s  ")?;
            if !self.done.behind.is_zero() {
                write!(f, "{} behind  ", lag(self.done.behind.as_millis() as u64))?;
            }
        }
        // Status messages start with a capital letter.
        let mut letters = self.state.chars();
        if let Some(first) = letters.next() {
            write!(f, "{}{}", first.to_lowercase(), letters.as_str())?;
        }
        Ok(())
    }
}

/// Draws the progress line of one streaming statement. Draws nothing if stderr is not a terminal.
#[derive(Debug)]
pub(in crate::cli) struct StreamingProgress {
    line: Line,
    tally: Arc<Tally>,
    samples: VecDeque<(Instant, u64)>,
}

impl StreamingProgress {
    pub(in crate::cli) fn start(tally: Arc<Tally>) -> Self {
        Self {
            line: Line::start(),
            tally,
            samples: VecDeque::from([(Instant::now(), 0)]),
        }
    }

    /// Waits until the line is due. Cancel safe.
    pub(in crate::cli) async fn due(&mut self) {
        self.line.due().await;
    }

    pub(in crate::cli) fn draw(&mut self, query: &StreamingQuery) {
        let done = *self.tally.done();
        let rows_per_second = self.sample(Instant::now(), done.rows);
        self.line.draw(&Snapshot {
            done,
            rows_per_second,
            state: &query.status().message,
        });
    }

    /// Removes the line, for other output or the prompt.
    pub(in crate::cli) fn clear(&mut self) {
        self.line.clear();
    }

    /// Removes the `^C` that the terminal printed over the line.
    pub(in crate::cli) fn hide_echo(&mut self) {
        self.line.hide_echo();
    }

    /// Rows per second over the rate window, including this sample.
    fn sample(&mut self, now: Instant, rows: u64) -> f64 {
        self.samples.push_back((now, rows));
        while self.samples.len() > 2 && now - self.samples[1].0 >= RATE_WINDOW {
            self.samples.pop_front();
        }
        let (then, before) = self.samples[0];
        let span = now - then;
        if span.is_zero() {
            return 0.0;
        }
        (rows - before) as f64 / span.as_secs_f64()
    }
}

/// The closing line of a streaming statement. It is printed on a terminal, if rows or values are missing, and for an
/// `INSERT`, as for any other `INSERT`.
pub(in crate::cli) fn closing_note(
    tally: &Tally,
    started: Instant,
    inserts: bool,
) -> Option<String> {
    if io::stderr().is_terminal() {
        return Some(crate::cli::output::timed(&tally.summary(), started));
    }
    let Done {
        losses,
        skipped,
        unfit,
        dropped,
        ..
    } = *tally.done();
    let is_incomplete = losses + skipped + unfit + dropped > 0;
    (inserts || is_incomplete).then(|| tally.summary())
}

#[cfg(test)]
mod tests;
