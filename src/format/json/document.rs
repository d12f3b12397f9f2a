//! One record's JSON documents to rows.

use datafusion::arrow::datatypes::Fields;

use super::explode::Exploder;
use super::findings::Findings;
use super::framing::each_document;
use super::rows::RowDecoder;
use crate::format::documents::Documents;
use crate::options::{Framing, JsonOptions, OnMismatch, TimestampFormat};

/// Decodes JSON documents.
#[derive(Debug)]
pub(in crate::format) struct JsonDecoder {
    rows: RowDecoder,
    framing: Framing,
    exploder: Option<Exploder>,
}

impl JsonDecoder {
    /// A decoder of `fields`, which are some of the columns `all`. With `rescues` there is one more column, for the
    /// fields that no column has.
    pub(in crate::format) fn new(
        fields: &Fields,
        all: &Fields,
        options: &JsonOptions,
        framing: Framing,
        rescues: bool,
        (timestamps, on_mismatch): (TimestampFormat, OnMismatch),
    ) -> Self {
        let findings = Findings {
            timestamps,
            fail_on_missing: options.fail_on_missing_field,
            fail_on_mismatch: on_mismatch == OnMismatch::Fail,
            ..Findings::default()
        };
        Self {
            rows: RowDecoder::new(fields, all, rescues, findings),
            framing,
            exploder: options.explode.as_deref().map(Exploder::new),
        }
    }

    /// Decodes the documents of the record `text` from `at` on: each to one row or, with a path to explode, to one
    /// for each element. Returns where to go on if there are enough rows.
    pub(in crate::format) fn decode(
        &mut self,
        text: &str,
        at: usize,
        out: &mut Documents<'_>,
    ) -> Option<usize> {
        let Self {
            rows,
            framing,
            exploder,
        } = self;
        let Some(exploder) = exploder else {
            return each_document(text, at, *framing, out, |document, out| {
                let row = rows.row(document, None, out);
                rows.end_document(document, row, out);
            });
        };
        exploder.resume(rows, text, out);
        if exploder.is_paused() {
            return Some(at);
        }
        let next = each_document(text, at, *framing, out, |document, out| {
            exploder.document(rows, text, document, out);
        });
        next.or(exploder.is_paused().then_some(text.len()))
    }

    /// Forgets the record that is not wholly decoded.
    pub(in crate::format) fn reset(&mut self) {
        if let Some(exploder) = &mut self.exploder {
            exploder.reset();
        }
    }
}
