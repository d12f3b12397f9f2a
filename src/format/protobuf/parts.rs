//! Single fields of messages that consist of several parts, and the entries of maps.

use std::collections::HashSet;

use super::descriptor::{Descriptor, FieldKind, MessageId, ScalarKind};
use super::scalar::{self, Scalar};
use super::wire::{Raw, Reader, Span, WireError};

/// The last value of the field with this number.
pub(super) fn last(record: &[u8], spans: &[Span], number: u32) -> Result<Option<Raw>, WireError> {
    let mut last = None;
    for span in spans {
        let mut reader = Reader::new(record, *span);
        while let Some(tag) = reader.tag()? {
            let raw = reader.value(tag, 0)?;
            if tag.number == number {
                last = Some(raw);
            }
        }
    }
    Ok(last)
}

/// The last value of the integer field with this number; 0 if it is absent.
pub(super) fn last_integer(record: &[u8], spans: &[Span], number: u32) -> Result<i64, WireError> {
    Ok(match last(record, spans, number)? {
        Some(Raw::Varint(bits)) => bits as i64,
        _ => 0,
    })
}

/// The key of a map's entry.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    Number(i128),
    Text(&'a [u8]),
}

/// The entries of a map, in the order of the record. Of several with one key, only the last is kept. `entry` is
/// the message of an entry.
pub(super) fn last_entries(
    descriptor: &Descriptor,
    entry: MessageId,
    record: &[u8],
    mut spans: Vec<Span>,
) -> Result<Vec<Span>, WireError> {
    if spans.len() < 2 {
        return Ok(spans);
    }
    let mut keys = HashSet::with_capacity(spans.len());
    let mut kept = Vec::with_capacity(spans.len());
    spans.reverse();
    for span in spans {
        let key = match entry_key(descriptor, entry, record, span)? {
            Scalar::Integer(value) => Key::Number(value),
            Scalar::Bool(value) => Key::Number(value.into()),
            Scalar::Text(text) | Scalar::Bytes(text) => Key::Text(text),
            // Keys have no other types.
            Scalar::Float(_) | Scalar::Enum(..) => Key::Number(0),
        };
        if keys.insert(key) {
            kept.push(span);
        }
    }
    kept.reverse();
    Ok(kept)
}

/// The key of the entry `span` of a map.
pub(super) fn entry_key<'a>(
    descriptor: &Descriptor,
    entry: MessageId,
    record: &'a [u8],
    span: Span,
) -> Result<Scalar<'a>, WireError> {
    let key = descriptor.message(entry).field(1).map(|field| field.kind);
    let kind = match key {
        Some(FieldKind::Scalar(kind)) => kind,
        _ => ScalarKind::String,
    };
    Ok(match last(record, &[span], 1)? {
        Some(raw) => scalar::decoded(kind, raw, record),
        None => scalar::zero(kind, descriptor),
    })
}
