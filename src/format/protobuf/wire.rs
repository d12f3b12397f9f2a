//! The wire format: tags and values, with the byte of each error.

/// The deepest nesting of messages and groups, the limit of the official libraries.
pub(super) const MAX_DEPTH: usize = 100;

/// The largest number of a field.
const MAX_FIELD_NUMBER: u64 = (1 << 29) - 1;

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn of(self, record: &[u8]) -> &[u8] {
        &record[self.start..self.end]
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Fixed64,
    Bytes,
    StartGroup,
    EndGroup,
    Fixed32,
}

/// The number and wire type of a value, and the byte where the tag starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) number: u32,
    pub(super) wire: WireType,
    pub(super) byte: usize,
}

/// A value as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// The content of a value with a length, or of a group.
    Bytes(Span),
}

/// Bytes that are not a valid message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WireError {
    /// The index in the record.
    pub(super) byte: usize,
    pub(super) reason: &'static str,
}

fn error(byte: usize, reason: &'static str) -> WireError {
    WireError { byte, reason }
}

/// Reads a message, which is a part of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    record: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(record: &'a [u8], span: Span) -> Self {
        Self {
            record: &record[..span.end],
            at: span.start,
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.record.len()
    }

    /// The next tag; `None` at the end.
    pub(super) fn tag(&mut self) -> Result<Option<Tag>, WireError> {
        let byte = self.at;
        if self.is_at_end() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if !(1..=MAX_FIELD_NUMBER).contains(&number) {
            return Err(error(byte, "has an invalid field number"));
        }
        let wire = match tag & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            _ => return Err(error(byte, "has an unknown wire type")),
        };
        Ok(Some(Tag {
            number: number as u32,
            wire,
            byte,
        }))
    }

    /// The value after `tag`, in a message at `depth`.
    pub(super) fn value(&mut self, tag: Tag, depth: usize) -> Result<Raw, WireError> {
        Ok(match tag.wire {
            WireType::Varint => Raw::Varint(self.varint()?),
            WireType::Fixed64 => Raw::Fixed64(self.fixed64()?),
            WireType::Fixed32 => Raw::Fixed32(self.fixed32()?),
            WireType::Bytes => Raw::Bytes(self.bytes()?),
            WireType::StartGroup => Raw::Bytes(self.group(tag, depth + 1)?),
            WireType::EndGroup => return Err(error(tag.byte, "ends a group that was not started")),
        })
    }

    /// A varint of at most 64 bits. It may have more bytes than necessary.
    fn varint(&mut self) -> Result<u64, WireError> {
        let start = self.at;
        let rest = &self.record[start..];
        if let [byte @ 0..0x80, ..] = rest {
            self.at += 1;
            return Ok(u64::from(*byte));
        }
        let mut value = 0_u64;
        for (index, byte) in rest.iter().take(10).enumerate() {
            if index == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7F) << (7 * index);
            if byte & 0x80 == 0 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(match rest.len() < 10 {
            true => error(start, "ends within a number"),
            false => error(start, "has a number of more than 64 bits"),
        })
    }

    fn fixed64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    fn fixed32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    /// One value of a repeated field that is written as one, with this wire type.
    pub(super) fn packed(&mut self, wire: WireType) -> Result<Raw, WireError> {
        match wire {
            WireType::Fixed64 => self.fixed64().map(Raw::Fixed64),
            WireType::Fixed32 => self.fixed32().map(Raw::Fixed32),
            _ => self.varint().map(Raw::Varint),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let taken = self.record[self.at..].first_chunk::<N>();
        let taken = taken.ok_or_else(|| error(self.at, "ends within a number"))?;
        self.at += N;
        Ok(*taken)
    }

    fn bytes(&mut self) -> Result<Span, WireError> {
        let byte = self.at;
        let length = self.varint()?;
        let left = self.record.len() - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                let start = self.at;
                self.at += length;
                let end = self.at;
                Ok(Span { start, end })
            }
            _ => Err(error(byte, "ends before the length that it states")),
        }
    }

    /// The content of the group that `tag` starts, whose fields are at `depth`.
    fn group(&mut self, tag: Tag, depth: usize) -> Result<Span, WireError> {
        if depth > MAX_DEPTH {
            return Err(error(tag.byte, TOO_DEEP));
        }
        let start = self.at;
        loop {
            match self.tag()? {
                None => return Err(error(tag.byte, "has a group without an end")),
                Some(end) if end.wire == WireType::EndGroup => {
                    if end.number != tag.number {
                        return Err(error(end.byte, "ends another group than the last one"));
                    }
                    let end = end.byte;
                    return Ok(Span { start, end });
                }
                Some(inner) => {
                    self.value(inner, depth)?;
                }
            }
        }
    }
}

/// The reason for a message that is nested more than [`MAX_DEPTH`] deep.
pub(super) const TOO_DEEP: &str = "has more than 100 levels of nested messages";
