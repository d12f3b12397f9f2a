//! Finds the JSON documents of a record.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::elements::Elements;
use super::failures::failure_of;
use crate::format::BYTE_ORDER_MARK;
use crate::format::documents::{DocumentFailure, Documents};
use crate::options::Framing;

/// The text of a record. One that is not UTF-8 is taken as a bad document.
pub(in crate::format) fn text_of<'a>(
    record: Cow<'a, [u8]>,
    out: &mut Documents<'_>,
) -> Option<Cow<'a, str>> {
    // Checked once, so that skipped strings are, too.
    let checked = match record {
        Cow::Borrowed(bytes) => {
            let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
            let text = std::str::from_utf8(bytes).map(Cow::Borrowed);
            text.map_err(|error| (Cow::Borrowed(bytes), error))
        }
        Cow::Owned(mut bytes) => {
            if bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            let text = String::from_utf8(bytes).map(Cow::Owned);
            text.map_err(|error| {
                let found = error.utf8_error();
                (Cow::Owned(error.into_bytes()), found)
            })
        }
    };
    match checked {
        Ok(text) => Some(text),
        Err((bytes, error)) => {
            let byte = error.valid_up_to();
            out.bad(&bytes, DocumentFailure::at(byte, "is not valid UTF-8"));
            None
        }
    }
}

/// Calls `decode` with each document of the record `text` from `at` on, in order. What is no document is taken as a
/// bad one. Returns where to go on if there are enough rows.
pub(in crate::format) fn each_document(
    text: &str,
    at: usize,
    framing: Framing,
    out: &mut Documents<'_>,
    mut decode: impl FnMut(&str, &mut Documents<'_>),
) -> Option<usize> {
    match framing {
        Framing::Record => {
            if at == 0 {
                decode(text, out);
            }
            None
        }
        Framing::Newline => lines(text, at, out, decode),
        Framing::Concatenated => concatenated(text, at, out, decode),
        Framing::Array => array(text, at, out, decode),
    }
}

fn lines(
    text: &str,
    mut at: usize,
    out: &mut Documents<'_>,
    mut decode: impl FnMut(&str, &mut Documents<'_>),
) -> Option<usize> {
    for line in text[at..].split_inclusive('\n') {
        if out.is_full() {
            return Some(at);
        }
        at += line.len();
        out.decoded_bytes += line.len();
        let line = line.strip_suffix('\n').map_or(line, |line| {
            // As in `str::lines`.
            line.strip_suffix('\r').unwrap_or(line)
        });
        if !line.trim().is_empty() {
            decode(line, out);
        }
    }
    None
}

fn concatenated(
    text: &str,
    at: usize,
    out: &mut Documents<'_>,
    mut decode: impl FnMut(&str, &mut Documents<'_>),
) -> Option<usize> {
    let text = &text[at..];
    let deserializer = serde_json::Deserializer::from_str(text);
    let mut documents = deserializer.into_iter::<&RawValue>();
    loop {
        let start = documents.byte_offset();
        if out.is_full() {
            return Some(at + start);
        }
        match documents.next()? {
            Ok(document) => {
                out.decoded_bytes += documents.byte_offset() - start;
                decode(document.get(), out);
            }
            // Where the next document starts cannot be known.
            Err(error) => {
                let rest = &text[start..];
                // The position counts from the start of the record.
                let mut failure = failure_of(text, &error);
                failure.byte = failure.byte.map(|byte| at + byte);
                out.bad(rest.trim_start().as_bytes(), failure);
                return None;
            }
        }
    }
}

fn array(
    text: &str,
    at: usize,
    out: &mut Documents<'_>,
    mut decode: impl FnMut(&str, &mut Documents<'_>),
) -> Option<usize> {
    let mut elements = match at {
        // The whole array must be valid before any of its elements counts.
        0 => match Elements::checked(text) {
            Ok(elements) => elements,
            Err(error) => {
                out.bad(text.as_bytes(), failure_of(text, &error));
                return None;
            }
        },
        at => Elements::after(text, at),
    };
    loop {
        if out.is_full() {
            return Some(elements.end());
        }
        let start = elements.end();
        let element = elements.next()?;
        out.decoded_bytes += elements.end() - start;
        decode(element.get(), out);
    }
}
