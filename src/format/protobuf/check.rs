//! Checks a message completely, whatever columns are read, so that the same documents are valid for each query.

use super::descriptor::{Descriptor, Field, FieldKind, Label, MessageId, ScalarKind};
use super::wire::{MAX_DEPTH, Raw, Reader, Span, TOO_DEEP, Tag, WireError, WireType};
use crate::format::documents::DocumentFailure;

/// Why a message is invalid.
#[derive(Debug)]
struct Fault {
    byte: usize,
    /// The names of the fields around the byte, the innermost first.
    path: Vec<String>,
    reason: &'static str,
}

type Checked = Result<(), Box<Fault>>;

impl From<WireError> for Box<Fault> {
    fn from(error: WireError) -> Self {
        fault(error.byte, error.reason)
    }
}

fn fault(byte: usize, reason: &'static str) -> Box<Fault> {
    let path = Vec::new();
    Box::new(Fault { byte, path, reason })
}

impl Fault {
    fn within(mut self: Box<Self>, field: &Field) -> Box<Self> {
        self.path.push(field.name.clone());
        self
    }

    fn located(self) -> DocumentFailure {
        let path: Vec<String> = self.path.into_iter().rev().collect();
        DocumentFailure {
            byte: Some(self.byte),
            field: (!path.is_empty()).then(|| path.join(".")),
            reason: self.reason.to_owned(),
        }
    }
}

/// Checks that `span` of `record` is a message of the payload: the grammar of all of it, the wire types of known
/// fields, strings, the depth, and required fields.
///
/// # Errors
/// The first byte that is wrong, counted from the start of the record.
pub(super) fn check(
    descriptor: &Descriptor,
    record: &[u8],
    span: Span,
) -> Result<(), DocumentFailure> {
    let check = Check { descriptor, record };
    let root = descriptor.root();
    check
        .message(root, span, 0)
        .map_err(|fault| fault.located())?;
    match descriptor.message(root).has_required {
        true => check
            .required(root, &[span])
            .map_err(|fault| fault.located()),
        false => Ok(()),
    }
}

#[derive(Debug, Clone, Copy)]
struct Check<'a> {
    descriptor: &'a Descriptor,
    record: &'a [u8],
}

impl Check<'_> {
    fn message(self, id: MessageId, span: Span, depth: usize) -> Checked {
        if depth > MAX_DEPTH {
            return Err(fault(span.start, TOO_DEEP));
        }
        let message = self.descriptor.message(id);
        let mut reader = Reader::new(self.record, span);
        while let Some(tag) = reader.tag()? {
            match message.field(tag.number) {
                None => {
                    reader.value(tag, depth)?;
                }
                Some(field) => {
                    let checked = self.field(field, tag, &mut reader, depth);
                    checked.map_err(|fault| fault.within(field))?;
                }
            }
        }
        Ok(())
    }

    fn field(self, field: &Field, tag: Tag, reader: &mut Reader<'_>, depth: usize) -> Checked {
        if tag.wire != field.wire_type() {
            return match (tag.wire, field.packable()) {
                (WireType::Bytes, Some(kind)) => self.packed(kind, reader.value(tag, depth)?),
                _ => Err(fault(
                    tag.byte,
                    "has another wire type than its type in the descriptor",
                )),
            };
        }
        let raw = reader.value(tag, depth)?;
        let Raw::Bytes(span) = raw else {
            return Ok(());
        };
        match field.kind {
            FieldKind::Message(id) | FieldKind::Group(id) => self.message(id, span, depth + 1),
            FieldKind::Scalar(ScalarKind::String) if field.checks_utf8 => {
                match std::str::from_utf8(span.of(self.record)) {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        let byte = span.start + error.valid_up_to();
                        Err(fault(byte, "is not valid UTF-8"))
                    }
                }
            }
            FieldKind::Scalar(_) => Ok(()),
        }
    }

    fn packed(self, kind: ScalarKind, raw: Raw) -> Checked {
        let Raw::Bytes(span) = raw else {
            return Ok(());
        };
        let mut reader = Reader::new(self.record, span);
        while !reader.is_at_end() {
            reader.packed(kind.wire_type())?;
        }
        Ok(())
    }

    /// Checks required fields of the message that consists of `spans`, which are valid.
    fn required(self, id: MessageId, spans: &[Span]) -> Checked {
        let message = self.descriptor.message(id);
        let mut seen = vec![false; message.fields.len()];
        // Occurrences of a field that is a message are parts of one message, if it is not repeated.
        let mut parts: Vec<Vec<Span>> = vec![Vec::new(); message.fields.len()];
        for span in spans {
            let mut reader = Reader::new(self.record, *span);
            while let Some(tag) = reader.tag()? {
                let raw = reader.value(tag, 0)?;
                let mut fields = message.fields.iter();
                let Some(index) = fields.position(|field| field.number == tag.number) else {
                    continue;
                };
                seen[index] = true;
                let field = &message.fields[index];
                let (FieldKind::Message(inner) | FieldKind::Group(inner), Raw::Bytes(span)) =
                    (field.kind, raw)
                else {
                    continue;
                };
                if !self.descriptor.message(inner).has_required {
                    continue;
                }
                match field.is_repeated() {
                    true => self
                        .required(inner, &[span])
                        .map_err(|fault| fault.within(field))?,
                    false => parts[index].push(span),
                }
            }
        }
        for ((field, seen), parts) in message.fields.iter().zip(seen).zip(parts) {
            if field.label == Label::Required && !seen {
                let end = spans.last().map_or(0, |span| span.end);
                return Err(fault(end, "is required, but missing").within(field));
            }
            if let (FieldKind::Message(inner) | FieldKind::Group(inner), false) =
                (field.kind, parts.is_empty())
            {
                self.required(inner, &parts)
                    .map_err(|fault| fault.within(field))?;
            }
        }
        Ok(())
    }
}
