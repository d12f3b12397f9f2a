//! Finds the JSON documents of a record.

use serde_json::value::RawValue;

use super::failures::failure_of;
use crate::format::documents::{DocumentFailure, Documents};
use crate::options::Framing;

/// Calls `decode` with each document of `record`, in order. What is no document is taken as a bad one.
pub(in crate::format) fn each_document(
    record: &[u8],
    framing: Framing,
    out: &mut Documents<'_>,
    mut decode: impl FnMut(&str, &mut Documents<'_>),
) {
    let record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
    // Checked once, so that skipped strings are, too.
    let text = match std::str::from_utf8(record) {
        Ok(text) => text,
        Err(error) => {
            let byte = error.valid_up_to();
            return out.bad(record, DocumentFailure::at(byte, "is not valid UTF-8"));
        }
    };
    match framing {
        Framing::Record => decode(text, out),
        Framing::Newline => {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                decode(line, out);
            }
        }
        Framing::Concatenated => concatenated(text, out, decode),
        Framing::Array => array(text, out, decode),
    }
}

fn concatenated(
    text: &str,
    out: &mut Documents<'_>,
    mut decode: impl FnMut(&str, &mut Documents<'_>),
) {
    let deserializer = serde_json::Deserializer::from_str(text);
    let mut documents = deserializer.into_iter::<&RawValue>();
    loop {
        let start = documents.byte_offset();
        match documents.next() {
            None => return,
            Some(Ok(document)) => decode(document.get(), out),
            // Where the next document starts cannot be known.
            Some(Err(error)) => {
                let rest = &text[start..];
                // The position counts from the start of the record.
                let failure = failure_of(text, &error);
                return out.bad(rest.trim_start().as_bytes(), failure);
            }
        }
    }
}

fn array(text: &str, out: &mut Documents<'_>, mut decode: impl FnMut(&str, &mut Documents<'_>)) {
    // The whole array must be valid before any of its elements counts.
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(documents) => {
            for document in documents {
                decode(document.get(), out);
            }
        }
        Err(error) => out.bad(text.as_bytes(), failure_of(text, &error)),
    }
}
