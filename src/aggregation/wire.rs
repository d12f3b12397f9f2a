//! The part of the protobuf wire format that aggregated records need.

/// The error for bytes that are not a valid protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The value of a field, by wire type. The fixed-width types occur only in unknown fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The tag byte of a varint field with a number below 16: field number and wire type.
pub(super) const fn tag_of_varint(field: u8) -> u8 {
    field << 3
}

/// The tag byte of a bytes field with a number below 16.
pub(super) const fn tag_of_bytes(field: u8) -> u8 {
    (field << 3) | 2
}

/// Iterates over the fields of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The number and value of the next field; `None` at the end.
    ///
    /// Groups are malformed: protobuf had deprecated them before this format existed.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = tag >> 3;
        if field == 0 || tag > u64::from(u32::MAX) {
            return Err(Malformed);
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed),
        };
        Ok(Some((field, value)))
    }

    /// Parses a varint of at most ten bytes. Like other decoders, it accepts non-minimal encodings
    /// and drops bits above the 64th.
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7F) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// The length in bytes of `value` as a varint.
pub(super) fn varint_bytes(value: usize) -> usize {
    let bits = (usize::BITS - value.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// Appends `value` as a varint.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The length in bytes of a bytes field with a number below 16: tag, length, content.
pub(super) fn bytes_field_bytes(content_bytes: usize) -> usize {
    1 + varint_bytes(content_bytes) + content_bytes
}

/// Appends a bytes field.
pub(super) fn put_bytes_field(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(tag_of_bytes(field));
    put_varint(out, content.len());
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_with_the_computed_length() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u32::MAX as usize,
            usize::MAX,
        ] {
            let mut bytes = vec![tag_of_varint(1)];
            put_varint(&mut bytes, value);
            assert_eq!(bytes.len() - 1, varint_bytes(value), "{value}");
            let field = Fields::of(&bytes).next();
            assert_eq!(field, Ok(Some((1, Value::Varint(value as u64)))));
        }
    }

    #[test]
    fn fixed_width_fields_are_skipped() {
        let bytes = [0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7D, 1, 2, 3, 4, 0x08, 5];
        let mut fields = Fields::of(&bytes);
        assert_eq!(fields.next(), Ok(Some((15, Value::Fixed))));
        assert_eq!(fields.next(), Ok(Some((15, Value::Fixed))));
        assert_eq!(fields.next(), Ok(Some((1, Value::Varint(5)))));
        assert_eq!(fields.next(), Ok(None));
    }

    #[test]
    fn truncated_or_unknown_encodings_are_malformed() {
        for bytes in [
            &[0x08][..],                                             // no value
            &[0x08, 0x80],                                           // unterminated value
            &[0x0A, 5, b'x'],                                        // shorter than its length
            &[0x0A, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], // longer than memory
            &[0x09, 1, 2, 3],                                        // truncated fixed 64
            &[0x0D, 1],                                              // truncated fixed 32
            &[0x0B, 0x0C],                                           // a group
            &[0x0E],                                                 // unknown wire type
            &[0x00, 1],                                              // invalid field number
            &[255; 11],                                              // a varint of eleven bytes
        ] {
            assert_eq!(Fields::of(bytes).next(), Err(Malformed), "{bytes:?}");
        }
    }
}
