//! What is known about the columns of a message while it is read.

use super::wire::{Raw, Span};
use crate::format::columns::Mismatch;
use crate::format::documents::DocumentFailure;

/// The most bytes of text of one record that are not in the record: names of enums, defaults and JSON. It keeps
/// offsets into a column within 32 bits.
const MAX_ADDED_BYTES: usize = 256 * 1024 * 1024;

/// Values that do not fit their columns.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) fail_on_mismatch: bool,
    pub(super) count: u64,
    /// The first of the document.
    pub(super) first: Option<DocumentFailure>,
}

/// What the values so far say about a column.
#[derive(Debug, Clone, Default)]
pub(super) enum Slot {
    #[default]
    Absent,
    /// The last value of a scalar, and the byte of its tag.
    Scalar(Raw, usize),
    /// The parts of a message, or the entries of a map.
    Spans(Span, Vec<Span>),
}

impl Slot {
    pub(super) fn add(&mut self, span: Span) {
        match self {
            Self::Spans(_, more) => more.push(span),
            _ => *self = Self::Spans(span, Vec::new()),
        }
    }

    pub(super) fn spans(self) -> Vec<Span> {
        match self {
            Self::Spans(first, mut more) => {
                more.insert(0, first);
                more
            }
            _ => Vec::new(),
        }
    }
}

/// How many bytes of text that are not in the record may still be added.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_ADDED_BYTES)
    }
}

impl Budget {
    pub(super) fn left(&self) -> usize {
        self.0
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Mismatch> {
        self.0 = self.0.checked_sub(bytes).ok_or(Mismatch::Range)?;
        Ok(())
    }
}
