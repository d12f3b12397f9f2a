//! The documents of a record, and why some of them have no row.

use std::fmt;

use super::MAX_BATCH_BYTES;
use super::columns::Column;
use crate::options::OnError;

/// The most bytes that the rows of one record may have when they repeat parts of their documents. Then the work for
/// a small record has an end.
const MAX_REPEATED_BYTES: usize = 1 << 30;

/// A document for the dead-letter stream.
#[derive(Debug)]
pub(crate) struct BadDocument {
    /// The index of its record.
    pub(crate) record: usize,
    /// Its bytes, as found after decompression and framing; for a record that could not be decompressed, the
    /// record.
    pub(crate) document: Vec<u8>,
    /// Why it cannot be parsed.
    pub(crate) reason: DocumentFailure,
}

/// Why a document cannot be parsed, or a value does not fit its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentFailure {
    /// Where in the document, counted from 0.
    pub(crate) byte: Option<usize>,
    /// The path of the field, separated by dots.
    pub(crate) field: Option<String>,
    pub(crate) reason: String,
}

/// A document without a row, or a reason for the statement to fail.
#[derive(Debug)]
pub(super) enum DocumentError {
    /// The document cannot be parsed.
    Bad(DocumentFailure),
    /// A value does not fit its column, and the options say that the statement fails.
    Unfit(DocumentFailure),
    /// A field is missing, and the options say that the statement fails.
    Missing(DocumentFailure),
}

impl DocumentFailure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            byte: None,
            field: None,
            reason: reason.into(),
        }
    }

    pub(super) fn at(byte: usize, reason: impl Into<String>) -> Self {
        Self {
            byte: Some(byte),
            ..Self::new(reason)
        }
    }
}

impl fmt::Display for DocumentFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "field '{field}': ")?;
        }
        f.write_str(&self.reason)?;
        match self.byte {
            Some(byte) => write!(f, " (byte {byte})"),
            None => Ok(()),
        }
    }
}

impl From<DocumentFailure> for DocumentError {
    fn from(failure: DocumentFailure) -> Self {
        Self::Bad(failure)
    }
}

impl DocumentError {
    /// The error with another position, which `byte` gives for the present one.
    pub(super) fn moved(self, byte: impl FnOnce(Option<usize>) -> Option<usize>) -> Self {
        let moved = |failure: DocumentFailure| DocumentFailure {
            byte: byte(failure.byte),
            ..failure
        };
        match self {
            Self::Bad(failure) => Self::Bad(moved(failure)),
            Self::Unfit(failure) => Self::Unfit(moved(failure)),
            Self::Missing(failure) => Self::Missing(moved(failure)),
        }
    }
}

/// Takes the documents of one record.
#[derive(Debug)]
pub(super) struct Documents<'a> {
    /// The columns to append each row to: the decoded fields, then that of rescued fields.
    pub(super) columns: &'a mut [Column],
    /// How many values did not fit their columns.
    pub(super) mismatches: u64,
    /// The column of reasons, if it is read.
    pub(super) errors: Option<&'a mut Column>,
    pub(super) on_error: &'a OnError,
    /// The index of the record.
    pub(super) record: usize,
    /// The index of the record that each row comes from.
    pub(super) records: &'a mut Vec<u32>,
    /// The documents for the dead-letter stream.
    pub(super) skipped: &'a mut Vec<BadDocument>,
    /// How many documents could not be parsed.
    pub(super) bad_documents: usize,
    /// The first reason for the statement to fail, and the option that decides so.
    pub(super) failure: Option<(DocumentFailure, &'static str)>,
    /// How many bytes of payload the batch has from before this call.
    pub(super) earlier_bytes: usize,
    /// How many bytes of the payload were decoded in this call, as far as known.
    pub(super) decoded_bytes: usize,
    /// The bytes that the rows may have beyond those of the payload.
    pub(super) expanded: usize,
    /// The bytes that the rows of the record have where they repeat parts of their documents. Kept while decoding of
    /// the record pauses.
    pub(super) repeated: usize,
    /// What the record has before its document, which bad documents keep: then the same table can read a dead letter.
    /// Kept while decoding of the record pauses.
    pub(super) header: Vec<u8>,
    /// After how many rows a batch is full.
    pub(super) batch_rows: usize,
}

impl Documents<'_> {
    /// About how many bytes the rows and dead letters of the batch have.
    pub(super) fn batch_bytes(&self) -> usize {
        let payload = self.earlier_bytes + self.decoded_bytes;
        payload.saturating_add(self.expanded)
    }

    /// Whether decoding has to pause, because there are enough rows for a batch. Dead letters count as rows.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() + self.skipped.len() >= self.batch_rows
            || self.batch_bytes() >= MAX_BATCH_BYTES
    }

    /// Announces a row of so many bytes that repeats parts of its document.
    ///
    /// # Errors
    /// The rows of the record have too many bytes.
    pub(super) fn repeat(&mut self, bytes: usize) -> Result<(), DocumentFailure> {
        self.repeated = self.repeated.saturating_add(bytes);
        match self.repeated > MAX_REPEATED_BYTES {
            true => Err(DocumentFailure::new(format!(
                "the rows of the record have more than {MAX_REPEATED_BYTES} bytes"
            ))),
            false => Ok(()),
        }
    }

    /// The number of rows so far.
    pub(super) fn rows(&self) -> usize {
        self.records.len()
    }

    /// Removes the rows from `rows` on, and what was appended for an unfinished row.
    pub(super) fn truncate(&mut self, rows: usize) {
        for column in self.columns.iter_mut().chain(self.errors.as_deref_mut()) {
            column.truncate(rows);
        }
        self.records.truncate(rows);
    }

    /// Ends a row, after one value was appended to each column. `reason` says why a value is NULL that is not
    /// NULL in the document.
    pub(super) fn finish_row(&mut self, reason: Option<&str>) {
        if let Some(errors) = &mut self.errors {
            push_reason(errors, reason);
        }
        self.records.push(self.record as u32);
    }

    fn fail(&mut self, failure: DocumentFailure, option: &'static str) {
        self.failure.get_or_insert((failure, option));
    }

    /// Takes a document without a row.
    pub(super) fn bad(&mut self, document: &[u8], error: impl Into<DocumentError>) {
        let start = self.header.len();
        let error = error.into().moved(|byte| byte.map(|byte| start + byte));
        let failure = match error {
            DocumentError::Bad(failure) => failure,
            DocumentError::Unfit(failure) => {
                return self.fail(failure, "kinesis.format.onTypeMismatch");
            }
            DocumentError::Missing(failure) => {
                return self.fail(failure, "kinesis.json.failOnMissingField");
            }
        };
        self.bad_documents += 1;
        match self.on_error {
            OnError::Fail => self.fail(failure, "kinesis.format.onError"),
            OnError::Null => {
                self.columns.iter_mut().for_each(Column::push_null);
                self.finish_row(Some(&failure.to_string()));
            }
            OnError::Skip => {}
            OnError::DeadLetter(_) => self.skipped.push(BadDocument {
                record: self.record,
                document: [&self.header, document].concat(),
                reason: failure,
            }),
        }
    }
}

fn push_reason(errors: &mut Column, reason: Option<&str>) {
    // A string column takes any string.
    match reason {
        Some(reason) if errors.push_str(reason).is_ok() => {}
        _ => errors.push_null(),
    }
}
