//! What reading a document has found besides its values.

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
    /// Whether the path of `first` is not complete.
    pub(super) in_progress: bool,
    /// Whether the current value has a field that no column has, or a value that does not fit.
    pub(super) is_incomplete: bool,
}

/// A value that does not fit, or a field that is missing.
#[derive(Debug)]
pub(super) struct Finding {
    /// The names of the fields that lead to it, the innermost first.
    pub(super) path: Vec<String>,
    pub(super) reason: String,
    /// The document has no such field.
    pub(super) is_missing: bool,
}

impl Findings {
    /// Whether reading must end.
    pub(super) fn mismatch(&mut self, column: &Column, value: &str, mismatch: Mismatch) -> bool {
        self.mismatches += 1;
        self.is_incomplete = true;
        if self.first.is_none() {
            let data_type = type_name(column.data_type());
            let reason = match mismatch {
                Mismatch::Type => format!("{} is no {data_type}", shortened(value)),
                Mismatch::Range => format!("{} is not exactly a {data_type}", shortened(value)),
            };
            self.report(reason, false);
        }
        self.fail_on_mismatch
    }

    /// Counts a value that is valid JSON, but cannot be read.
    pub(super) fn unreadable(&mut self, column: &Column, value: &str) {
        self.mismatch(column, value, Mismatch::Range);
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
}

/// Shortens a value for a message.
fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
