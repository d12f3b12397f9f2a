//! As much of the protobuf wire format as the aggregated record needs.

/// The bytes are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A field's value by its wire type; the fixed-width types occur in unknown fields only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// Field number and wire type in one byte, for field numbers below 16.
pub(super) const fn tag_of_varint(field: u8) -> u8 {
    field << 3
}

/// See [`tag_of_varint`].
pub(super) const fn tag_of_bytes(field: u8) -> u8 {
    (field << 3) | 2
}

/// Walks the fields of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's number and value; `None` at the end.
    ///
    /// Groups, given up before this format was made, are malformed.
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

    /// Up to ten bytes; a longer form than needed is read like the shortest one, and bits above
    /// the 64th are cut off, as other readers do.
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

/// The length of `value` as a varint.
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

/// The length of a bytes field below 16: tag, length, content.
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
    fn varints_come_back_and_have_the_length_that_was_counted() {
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
    fn fixed_width_fields_are_stepped_over() {
        let bytes = [0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7D, 1, 2, 3, 4, 0x08, 5];
        let mut fields = Fields::of(&bytes);
        assert_eq!(fields.next(), Ok(Some((15, Value::Fixed))));
        assert_eq!(fields.next(), Ok(Some((15, Value::Fixed))));
        assert_eq!(fields.next(), Ok(Some((1, Value::Varint(5)))));
        assert_eq!(fields.next(), Ok(None));
    }

    #[test]
    fn what_is_cut_off_or_unheard_of_is_malformed() {
        for bytes in [
            &[0x08][..],                                             // no value
            &[0x08, 0x80],                                           // value not ended
            &[0x0A, 5, b'x'],                                        // shorter than it says
            &[0x0A, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], // longer than any memory
            &[0x09, 1, 2, 3],                                        // fixed 64 cut off
            &[0x0D, 1],                                              // fixed 32 cut off
            &[0x0B, 0x0C],                                           // a group
            &[0x0E],                                                 // no such wire type
            &[0x00, 1],                                              // no such field
            &[255; 11],                                              // a varint of eleven bytes
        ] {
            assert_eq!(Fields::of(bytes).next(), Err(Malformed), "{bytes:?}");
        }
    }
}
