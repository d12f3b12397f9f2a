//! One record's JSON documents to rows.

use std::borrow::Cow;

use datafusion::arrow::datatypes::Fields;

use super::explode::Exploder;
use super::findings::Findings;
use super::framing::each_document;
use super::rows::RowDecoder;
use crate::format::documents::Documents;
use crate::format::{BYTE_ORDER_MARK, header};
use crate::options::{FormatOptions, Framing, JsonOptions, OnMismatch, SchemaRegistryType};

/// Decodes JSON documents.
#[derive(Debug)]
pub(in crate::format) struct JsonDecoder {
    rows: RowDecoder,
    framing: Framing,
    exploder: Option<Exploder>,
    /// The registry whose serializers wrote a header before the document of each record.
    registry: Option<SchemaRegistryType>,
    /// The most bytes that a document behind a header may decompress to.
    max_decompressed_bytes: usize,
}

impl JsonDecoder {
    /// A decoder of `fields`, which are some of the columns `all`. With `rescues` there is one more column, for the
    /// fields that no column has.
    pub(in crate::format) fn new(
        fields: &Fields,
        all: &Fields,
        json: &JsonOptions,
        options: &FormatOptions,
        rescues: bool,
    ) -> Self {
        let findings = Findings {
            timestamps: options.timestamps,
            fail_on_missing: options.fail_on_missing_field,
            fail_on_mismatch: options.on_mismatch == OnMismatch::Fail,
            ..Findings::default()
        };
        Self {
            rows: RowDecoder::new(fields, all, rescues, findings),
            framing: options.framing,
            exploder: json.explode.as_deref().map(Exploder::new),
            registry: json.header,
            max_decompressed_bytes: options.max_decompressed_bytes,
        }
    }

    /// The payload of a record without its header, if it has to have one. A payload without it is taken as a bad
    /// document.
    pub(in crate::format) fn without_header<'a>(
        &self,
        payload: Cow<'a, [u8]>,
        out: &mut Documents<'_>,
    ) -> Option<Cow<'a, [u8]>> {
        let Some(registry) = self.registry else {
            return Some(payload);
        };
        let limit = self.max_decompressed_bytes;
        match header::unframed(&payload, registry, "kinesis.json.header", limit) {
            Ok(unframed) => {
                let mut start = unframed.start;
                if unframed.bytes[start..].starts_with(BYTE_ORDER_MARK) {
                    start += BYTE_ORDER_MARK.len();
                }
                out.expanded = out.expanded.saturating_add(unframed.decompressed());
                out.header = unframed.bytes[..start].to_vec();
                let decompressed = match unframed.bytes {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(bytes) => Some(Cow::Owned(bytes)),
                };
                Some(match decompressed.unwrap_or(payload) {
                    Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[start..]),
                    Cow::Owned(mut bytes) => {
                        bytes.drain(..start);
                        Cow::Owned(bytes)
                    }
                })
            }
            Err(failure) => {
                out.bad(&payload, failure);
                None
            }
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
            ..
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
