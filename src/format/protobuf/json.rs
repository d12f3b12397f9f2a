//! A message as JSON text, in the JSON mapping of Protobuf: names in lower camel case, 64-bit integers as strings,
//! bytes in base64, enums by name. Fields that are absent or have no presence and the zero of their type are left
//! out.

use std::io::Write;

use super::descriptor::{
    Absent, Descriptor, Field, FieldKind, Label, Message, MessageId, ScalarKind, WellKnown,
};
use super::scalar::{self, Scalar};
use super::wire::{Raw, Reader, Span, WireError, WireType};
use super::{parts, times};

/// The message has no JSON text: a string that is not UTF-8, or more text than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unrepresentable;

type Written = Result<(), Unrepresentable>;

impl From<WireError> for Unrepresentable {
    fn from(_: WireError) -> Self {
        Self
    }
}

/// The message `id` that consists of `spans`, as at most `limit` bytes of JSON.
pub(super) fn message(
    descriptor: &Descriptor,
    record: &[u8],
    limit: usize,
    id: MessageId,
    spans: &[Span],
) -> Result<Vec<u8>, Unrepresentable> {
    let mut writer = Writer::new(descriptor, record, limit);
    writer.message(id, spans)?;
    Ok(writer.out)
}

/// The map whose entries are the messages `entry`, as at most `limit` bytes of JSON.
pub(super) fn object(
    descriptor: &Descriptor,
    record: &[u8],
    limit: usize,
    entry: MessageId,
    spans: Vec<Span>,
) -> Result<Vec<u8>, Unrepresentable> {
    let mut writer = Writer::new(descriptor, record, limit);
    writer.map(entry, spans)?;
    Ok(writer.out)
}

#[derive(Debug)]
struct Writer<'a> {
    descriptor: &'a Descriptor,
    record: &'a [u8],
    limit: usize,
    out: Vec<u8>,
}

/// The values of one field, in the order of the record; those of a message are its parts.
type Values = Vec<(Raw, WireType)>;

impl<'a> Writer<'a> {
    fn new(descriptor: &'a Descriptor, record: &'a [u8], limit: usize) -> Self {
        let out = Vec::new();
        Self {
            descriptor,
            record,
            limit,
            out,
        }
    }

    fn message(&mut self, id: MessageId, spans: &[Span]) -> Written {
        let descriptor = self.descriptor;
        let message = descriptor.message(id);
        let text = match message.well_known {
            Some(WellKnown::Timestamp | WellKnown::Duration) => {
                let seconds = parts::last_integer(self.record, spans, 1)?;
                let nanos = parts::last_integer(self.record, spans, 2)? as i32;
                match message.well_known {
                    Some(WellKnown::Timestamp) => times::timestamp_text(seconds, nanos),
                    _ => times::duration_text(seconds, nanos),
                }
            }
            _ => None,
        };
        if let Some(text) = text {
            return self.json(&text);
        }
        let values = self.values(message, spans)?;
        let mut present = message
            .fields
            .iter()
            .zip(values)
            .filter(|(_, values)| !values.is_empty());
        match message.well_known {
            // Messages whose only present field is their value.
            Some(WellKnown::Wrapper | WellKnown::Value | WellKnown::Object | WellKnown::Array) => {
                match (present.next(), message.well_known) {
                    (Some((field, values)), _) => self.field(field, values),
                    (None, Some(WellKnown::Object)) => self.raw(b"{}"),
                    (None, Some(WellKnown::Array)) => self.raw(b"[]"),
                    (None, Some(WellKnown::Wrapper)) => match message.fields.first() {
                        Some(Field {
                            kind: FieldKind::Scalar(kind),
                            ..
                        }) => self.scalar(*kind, scalar::zero(*kind, descriptor)),
                        _ => self.raw(b"null"),
                    },
                    (None, _) => self.raw(b"null"),
                }
            }
            _ => {
                let mut separator = b"{";
                for (field, values) in present {
                    if self.is_implied(field, &values) {
                        continue;
                    }
                    self.raw(separator)?;
                    self.json(&field.json_name)?;
                    self.raw(b":")?;
                    self.field(field, values)?;
                    separator = b",";
                }
                self.raw(if separator == b"{" { b"{}" } else { b"}" })
            }
        }
    }

    /// The values of each field. A member of a `oneof` clears those before it.
    fn values(&self, message: &Message, spans: &[Span]) -> Result<Vec<Values>, WireError> {
        let mut values: Vec<Values> = vec![Vec::new(); message.fields.len()];
        for span in spans {
            let mut reader = Reader::new(self.record, *span);
            while let Some(tag) = reader.tag()? {
                let raw = reader.value(tag, 0)?;
                let found = message
                    .fields
                    .binary_search_by_key(&tag.number, |field| field.number);
                let Ok(index) = found else {
                    continue;
                };
                let field = &message.fields[index];
                for (other, cleared) in message.fields.iter().zip(&mut values) {
                    if other.oneof.is_some()
                        && other.oneof == field.oneof
                        && other.number != tag.number
                    {
                        cleared.clear();
                    }
                }
                if !field.is_repeated() && matches!(field.kind, FieldKind::Scalar(_)) {
                    values[index].clear();
                }
                values[index].push((raw, tag.wire));
            }
        }
        Ok(values)
    }

    /// Whether the value is the zero of a field without presence.
    fn is_implied(&self, field: &Field, values: &Values) -> bool {
        match (field.kind, values.last()) {
            (FieldKind::Scalar(kind), Some((raw, _))) if field.absent == Absent::Zero => {
                let value = scalar::decoded(kind, *raw, self.record);
                scalar::is_zero(value, kind, self.descriptor)
            }
            _ => false,
        }
    }

    fn field(&mut self, field: &Field, values: Values) -> Written {
        match (field.label, field.kind) {
            (Label::Map, FieldKind::Message(entry)) => self.map(entry, spans(&values)),
            (Label::Repeated | Label::Map, _) => {
                let mut separator = b"[";
                for (raw, wire) in values {
                    for raw in self.unpacked(field, raw, wire)? {
                        self.raw(separator)?;
                        self.value(field.kind, &[(raw, wire)])?;
                        separator = b",";
                    }
                }
                self.raw(if separator == b"[" { b"[]" } else { b"]" })
            }
            _ => self.value(field.kind, &values),
        }
    }

    fn value(&mut self, kind: FieldKind, values: &[(Raw, WireType)]) -> Written {
        match (kind, values.last()) {
            (FieldKind::Message(id) | FieldKind::Group(id), _) => self.message(id, &spans(values)),
            (FieldKind::Scalar(kind), Some((raw, _))) => {
                let value = scalar::decoded(kind, *raw, self.record);
                self.scalar(kind, value)
            }
            (FieldKind::Scalar(kind), None) => {
                self.scalar(kind, scalar::zero(kind, self.descriptor))
            }
        }
    }

    fn unpacked(&self, field: &Field, raw: Raw, wire: WireType) -> Result<Vec<Raw>, WireError> {
        let (Some(kind), WireType::Bytes, Raw::Bytes(span)) = (field.packable(), wire, raw) else {
            return Ok(vec![raw]);
        };
        let mut reader = Reader::new(self.record, span);
        let mut values = Vec::new();
        while !reader.is_at_end() {
            values.push(reader.packed(kind.wire_type())?);
        }
        Ok(values)
    }

    fn map(&mut self, entry: MessageId, entries: Vec<Span>) -> Written {
        let (descriptor, record) = (self.descriptor, self.record);
        let value = descriptor.message(entry).field(2).map(|field| field.kind);
        let entries = parts::last_entries(descriptor, entry, record, entries)?;
        let mut separator = b"{";
        for span in entries {
            self.raw(separator)?;
            match parts::entry_key(descriptor, entry, record, span)? {
                Scalar::Text(text) | Scalar::Bytes(text) => self.text(text)?,
                Scalar::Integer(value) => self.json(&value.to_string())?,
                Scalar::Bool(value) => self.json(&value.to_string())?,
                Scalar::Float(_) | Scalar::Enum(..) => return Err(Unrepresentable),
            }
            self.raw(b":")?;
            let parts = self.values(descriptor.message(entry), &[span])?.pop();
            let parts = parts.unwrap_or_default();
            self.value(
                value.unwrap_or(FieldKind::Scalar(ScalarKind::String)),
                &parts,
            )?;
            separator = b",";
        }
        self.raw(if separator == b"{" { b"{}" } else { b"}" })
    }

    fn scalar(&mut self, kind: ScalarKind, value: Scalar<'_>) -> Written {
        match value {
            Scalar::Bool(value) => self.json(&value),
            Scalar::Integer(value) => match kind {
                ScalarKind::Int64
                | ScalarKind::Uint64
                | ScalarKind::Sint64
                | ScalarKind::Fixed64
                | ScalarKind::Sfixed64 => self.json(&value.to_string()),
                _ => self.json(&value),
            },
            Scalar::Float(value) if value.is_nan() => self.json("NaN"),
            Scalar::Float(value) if value.is_infinite() => {
                self.json(if value > 0.0 { "Infinity" } else { "-Infinity" })
            }
            // The shortest text that is the same number of 32 bits.
            Scalar::Float(value) if kind == ScalarKind::Float => self.json(&(value as f32)),
            Scalar::Float(value) => self.json(&value),
            Scalar::Text(text) => self.text(text),
            Scalar::Bytes(bytes) => self.json(&base64_simd::STANDARD.encode_to_string(bytes)),
            Scalar::Enum(id, number) => {
                let descriptor = self.descriptor;
                let enumeration = descriptor.enumeration(id);
                match enumeration.name_of(number) {
                    _ if enumeration.name == "google.protobuf.NullValue" => self.raw(b"null"),
                    Some(name) => self.json(name),
                    None => self.json(&number),
                }
            }
        }
    }

    fn text(&mut self, text: &[u8]) -> Written {
        let text = std::str::from_utf8(text).map_err(|_| Unrepresentable)?;
        self.json(text)
    }

    fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Written {
        serde_json::to_writer(&mut self.out, value).map_err(|_| Unrepresentable)?;
        self.check_limit()
    }

    fn raw(&mut self, json: &[u8]) -> Written {
        // Writing to a vector cannot fail.
        self.out.write_all(json).map_err(|_| Unrepresentable)?;
        self.check_limit()
    }

    fn check_limit(&self) -> Written {
        match self.out.len() <= self.limit {
            true => Ok(()),
            false => Err(Unrepresentable),
        }
    }
}

fn spans(values: &[(Raw, WireType)]) -> Vec<Span> {
    let spans = values.iter().filter_map(|(raw, _)| match raw {
        Raw::Bytes(span) => Some(*span),
        _ => None,
    });
    spans.collect()
}
