//! What reading a JSON document finds besides its values.

use std::fmt;

use crate::format::columns::{Column, Mismatch, type_name};
use crate::options::TimestampFormat;

/// What reading a document has found besides its values.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) timestamps: TimestampFormat,
    /// Whether a field that is missing ends the document.
    pub(super) fail_on_missing: bool,
    /// Whether a value that does not fit ends the document.
    pub(super) fail_on_mismatch: bool,
    /// The values that did not fit their columns.
    pub(super) mismatches: u64,
    /// The first of them in this document.
    pub(super) first: Option<Finding>,
    /// Whether `first` ended the document. Otherwise a document that cannot be read further is not valid.
    pub(super) has_ended: bool,
    /// Whether a field was replaced by a later one of the same name.
    pub(super) has_duplicates: bool,
    /// Whether the path of `first` is not complete.
    pub(super) in_progress: bool,
    /// Whether the current value has a field that no column has, or a value that does not fit.
    pub(super) is_incomplete: bool,
}

/// A value that does not fit, or a field that is missing. Shown with its path.
#[derive(Debug)]
pub(super) struct Finding {
    /// The names of the fields that lead to it, the innermost first.
    pub(super) path: Vec<String>,
    pub(super) reason: String,
    /// The document has no such field.
    pub(super) is_missing: bool,
}

impl Finding {
    /// The names of the fields, separated by dots.
    pub(super) fn path(&self) -> String {
        let names: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        names.join(".")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field '{}': {}", self.path(), self.reason)
    }
}

impl Findings {
    /// Starts a row.
    pub(super) fn start(&mut self) {
        self.first = None;
        self.has_ended = false;
        self.has_duplicates = false;
        self.in_progress = false;
    }

    /// Counts a value that does not fit, for the reason that `reason` returns. Returns whether reading must end.
    pub(super) fn unfit(&mut self, reason: impl FnOnce() -> String) -> bool {
        self.mismatches += 1;
        self.is_incomplete = true;
        if self.first.is_none() {
            self.report(reason(), false);
        }
        self.has_ended = self.fail_on_mismatch;
        self.has_ended
    }

    /// Remembers the first finding of a document.
    pub(super) fn report(&mut self, reason: String, is_missing: bool) {
        self.first = Some(Finding {
            path: Vec::new(),
            reason,
            is_missing,
        });
        self.in_progress = true;
    }

    /// Adds the name of the field around a finding that was reported while its value was read.
    pub(super) fn within(&mut self, name: &str) {
        if let (true, Some(first)) = (self.in_progress, &mut self.first) {
            first.path.push(name.to_owned());
        }
    }

    /// Adds the names that lead to a value, after it was read.
    pub(super) fn within_path(&mut self, path: &[&str]) {
        for name in path.iter().rev() {
            self.within(name);
        }
        self.in_progress = false;
    }
}

/// Why the value that is written as `value` does not fit `column`.
pub(super) fn unfit_reason(column: &Column, value: &str, mismatch: Mismatch) -> String {
    let (value, data_type) = (shortened(value), type_name(column.data_type()));
    match mismatch {
        Mismatch::Type => format!("{value} is no {data_type}"),
        Mismatch::Range => format!("{value} is not exactly a {data_type}"),
    }
}

/// Shortens a value for a message.
fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
