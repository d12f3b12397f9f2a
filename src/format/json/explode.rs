//! One row for each element of an array in a document.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::elements::{Elements, check_object};
use super::entries::{at_path, entries};
use super::failures::{failure_of, offset};
use super::rows::{Parent, RowDecoder};
use crate::format::documents::{DocumentError, DocumentFailure, Documents};

/// Decodes each element of an array to a row.
#[derive(Debug)]
pub(super) struct Exploder {
    /// Where the array is in its document.
    path: Vec<String>,
    /// The document whose elements are not all decoded.
    paused: Option<PausedDocument>,
}

/// A document of which some elements are decoded.
#[derive(Debug)]
struct PausedDocument {
    parent: Parent<'static>,
    /// Where the document is in its record.
    document: Range<usize>,
    /// Where its array is in the record.
    array: Range<usize>,
    /// Where the last element that was decoded ends in the array.
    end: usize,
}

/// A document with an array.
#[derive(Debug, Clone, Copy)]
struct Exploded<'a> {
    text: &'a str,
    array: &'a str,
}

impl Exploder {
    pub(super) fn new(path: &[String]) -> Self {
        Self {
            path: path.to_vec(),
            paused: None,
        }
    }

    /// Whether there is a document whose elements are not all decoded.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Forgets the document whose elements are not all decoded.
    pub(super) fn reset(&mut self) {
        self.paused = None;
    }

    /// Decodes the document `text` of `record`.
    pub(super) fn document(
        &mut self,
        rows: &mut RowDecoder,
        record: &str,
        text: &str,
        out: &mut Documents<'_>,
    ) {
        let exploded = self.explode(rows, record, text, out);
        rows.end_document(text, exploded, out);
    }

    /// Goes on in a document of `record`, if there is one whose elements are not all decoded.
    pub(super) fn resume(&mut self, rows: &mut RowDecoder, record: &str, out: &mut Documents<'_>) {
        let Some(mut paused) = self.paused.take() else {
            return;
        };
        let document = Exploded {
            text: &record[paused.document.clone()],
            array: &record[paused.array.clone()],
        };
        let elements = Elements::after(document.array, paused.end);
        let exploded = match self.elements(rows, document, &paused.parent, elements, out) {
            Ok(None) => Ok(()),
            Ok(Some(end)) => {
                paused.end = end;
                self.paused = Some(paused);
                Ok(())
            }
            Err(error) => Err(error),
        };
        rows.end_document(document.text, exploded, out);
    }

    fn explode(
        &mut self,
        rows: &mut RowDecoder,
        record: &str,
        text: &str,
        out: &mut Documents<'_>,
    ) -> Result<(), DocumentError> {
        let bad = |error: serde_json::Error| DocumentError::Bad(failure_of(text, &error));
        let fields = entries(text).map_err(bad)?;
        let array = at_path(text, &self.path).map_err(bad)?;
        let Some(array) = array.filter(|array| array.get() != "null") else {
            // No array, no rows: as with an empty one.
            return Ok(());
        };
        let document = Exploded {
            text,
            array: array.get(),
        };
        // A bad element takes the whole document with it, so all are checked before the first is a row.
        let elements = Elements::accepted(array, |element| document.accept(element, out))?;
        let Some(elements) = elements else {
            let what = format!("'$.{}' is no array", self.path.join("."));
            return Err(DocumentFailure::new(what).into());
        };
        let fields = fields.into_iter();
        let around = fields.filter(|(key, _)| !key.eq_ignore_ascii_case(&self.path[0]));
        let parent = Parent {
            fields: around.map(|(key, raw)| (key, Cow::Borrowed(raw))).collect(),
        };
        if let Some(end) = self.elements(rows, document, &parent, elements, out)? {
            self.paused = Some(document.pause(record, parent, end));
        }
        Ok(())
    }

    /// Decodes elements of `document` to rows. Returns where the last of them ends, if there are enough rows.
    fn elements(
        &self,
        rows: &mut RowDecoder,
        document: Exploded<'_>,
        parent: &Parent<'_>,
        mut elements: Elements<'_>,
        out: &mut Documents<'_>,
    ) -> Result<Option<usize>, DocumentError> {
        let start = out.rows();
        loop {
            if out.is_full() {
                return Ok(Some(elements.end()));
            }
            let Some(raw) = elements.next() else {
                return Ok(None);
            };
            let wrapped;
            let element = match raw.get().starts_with('{') {
                true => raw.get(),
                // An element that is no object is the value of a field with the array's name.
                false => {
                    let name = serde_json::Value::from(self.path[self.path.len() - 1].as_str());
                    wrapped = format!("{{{name}:{}}}", raw.get());
                    &wrapped
                }
            };
            out.expanded = out.expanded.saturating_add(document.row_bytes(raw));
            if let Err(error) = rows.row(element, Some(parent), out) {
                out.truncate(start);
                let is_object = element.len() == raw.get().len();
                return Err(document.located(raw, is_object, error));
            }
        }
    }
}

impl Exploded<'_> {
    /// How many bytes the row of `element` has. Each row can repeat all fields around the array. They count whether or
    /// not they are read, so that the same documents are refused.
    fn row_bytes(&self, element: &RawValue) -> usize {
        self.text.len() - self.array.len() + element.get().len()
    }

    /// Checks that `element` can be a row.
    fn accept(&self, element: &RawValue, out: &mut Documents<'_>) -> Result<(), DocumentError> {
        let is_object = element.get().starts_with('{');
        let accepted = match out.repeat(self.row_bytes(element)) {
            Ok(()) if is_object => {
                check_object(element).map_err(|error| failure_of(element.get(), &error))
            }
            accepted => accepted,
        };
        accepted.map_err(|failure| self.located(element, is_object, failure.into()))
    }

    /// The error of an element with its position in the document.
    fn located(&self, element: &RawValue, is_object: bool, error: DocumentError) -> DocumentError {
        error.moved(|byte| {
            let start = offset(self.text, element.get())?;
            // Positions in other elements are those in an object around them.
            Some(start + byte.filter(|_| is_object).unwrap_or(0))
        })
    }

    /// The state of a document of `record`, whose elements up to `end` are decoded.
    fn pause(&self, record: &str, parent: Parent<'_>, end: usize) -> PausedDocument {
        let range = |part: &str| {
            let start = offset(record, part).expect("a document is a part of its record");
            start..start + part.len()
        };
        let fields = parent.fields.into_iter();
        let fields = fields.map(|(key, raw)| (key, Cow::Owned(raw.into_owned())));
        PausedDocument {
            parent: Parent {
                fields: fields.collect(),
            },
            document: range(self.text),
            array: range(self.array),
            end,
        }
    }
}
