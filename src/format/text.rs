//! Documents of plain text.

use super::columns::type_name;
use super::documents::{DocumentError, DocumentFailure, Documents};
use super::schema::PayloadSchema;
use crate::options::{Framing, OnMismatch, TimestampFormat};

/// Decodes each document to the value of the only column.
#[derive(Debug)]
pub(super) struct TextDecoder {
    framing: Framing,
    timestamps: TimestampFormat,
    on_mismatch: OnMismatch,
    /// The column takes bytes that are not UTF-8.
    is_binary: bool,
    /// The name of the column.
    name: String,
}

impl TextDecoder {
    pub(super) fn new(schema: &PayloadSchema) -> Self {
        let options = &schema.options;
        let field = &schema.fields[0];
        Self {
            framing: options.framing,
            timestamps: options.timestamps,
            on_mismatch: options.on_mismatch,
            is_binary: field.data_type().is_binary(),
            name: field.name().clone(),
        }
    }

    /// Decodes the documents of one record from `at` on. Returns where to go on if there are enough rows.
    pub(super) fn decode(
        &self,
        record: &[u8],
        mut at: usize,
        out: &mut Documents<'_>,
    ) -> Option<usize> {
        if self.framing != Framing::Newline {
            self.document(record, out);
            return None;
        }
        for line in record[at..].split_inclusive(|byte| *byte == b'\n') {
            if out.is_full() {
                return Some(at);
            }
            at += line.len();
            out.decoded_bytes += line.len();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.trim_ascii().is_empty() {
                self.document(line, out);
            }
        }
        None
    }

    fn document(&self, document: &[u8], out: &mut Documents<'_>) {
        let text = match std::str::from_utf8(document) {
            Err(error) if !self.is_binary => {
                let byte = error.valid_up_to();
                return out.bad(document, DocumentFailure::at(byte, "is not valid UTF-8"));
            }
            text => text.ok(),
        };
        let [column, ..] = &mut *out.columns else {
            return out.finish_row(None);
        };
        let pushed = match text {
            Some(text) if !self.is_binary => column.push_text(text, self.timestamps),
            _ => column.push_bytes(document),
        };
        if pushed.is_ok() {
            return out.finish_row(None);
        }
        let data_type = type_name(column.data_type());
        let failure = DocumentFailure {
            byte: None,
            field: Some(self.name.clone()),
            reason: format!("the text is no {data_type}"),
        };
        out.mismatches += 1;
        match self.on_mismatch {
            OnMismatch::Fail => out.bad(document, DocumentError::Unfit(failure)),
            OnMismatch::Null => {
                column.push_null();
                out.finish_row(Some(&failure.to_string()));
            }
        }
    }
}
