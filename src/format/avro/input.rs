//! Reads the primitive values of Avro's binary encoding, and says where they are malformed.

use std::fmt;

/// How many values without bytes a document may have in any case, such as the items of an array of nulls.
const FREE_VALUES: usize = 1 << 16;
/// How many more it may have for each byte.
const FREE_VALUES_PER_BYTE: usize = 16;
/// How many it may have at most, so that the number of items fits into 32 bits.
const MAX_FREE_VALUES: usize = 1 << 28;

/// The bytes of a document that were not read yet.
#[derive(Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many more values without bytes the document may have.
    free: usize,
}

/// Where and why a document is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) byte: usize,
    pub(super) reason: Reason,
}

/// Why a document is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It has this many bytes, and a value needs more.
    Ends(usize),
    LongNumber,
    IntRange(i64),
    NegativeLength(i64),
    Length {
        length: u64,
        left: usize,
    },
    Utf8,
    Boolean(u8),
    Branch {
        index: i64,
        branches: usize,
    },
    Symbol {
        index: i64,
        symbols: usize,
    },
    BlockCount {
        count: u64,
        left: usize,
    },
    BlockSize {
        stated: usize,
        found: usize,
    },
    Trailing(usize),
    FreeValues,
    Depth(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends(bytes) => write!(f, "ends after {bytes} bytes, within a value"),
            Self::LongNumber => f.write_str("has a number with too many bytes"),
            Self::IntRange(value) => write!(f, "has {value} as an int, which has 32 bits"),
            Self::NegativeLength(length) => write!(f, "has the length {length}"),
            Self::Length { length, left } => {
                write!(f, "has a value of {length} bytes, but only {left} are left")
            }
            Self::Utf8 => f.write_str("has a string that is not valid UTF-8"),
            Self::Boolean(byte) => write!(f, "has {byte} as a boolean: expected 0 or 1"),
            Self::Branch { index, branches } => {
                write!(f, "has branch {index} of a union with {branches}")
            }
            Self::Symbol { index, symbols } => {
                write!(f, "has symbol {index} of an enum with {symbols}")
            }
            Self::BlockCount { count, left } => {
                write!(
                    f,
                    "has a block of {count} items, but only {left} bytes are left"
                )
            }
            Self::BlockSize { stated, found } => {
                write!(
                    f,
                    "has a block of {found} bytes, which says it has {stated}"
                )
            }
            Self::Trailing(bytes) => write!(f, "has {bytes} bytes after its last value"),
            Self::FreeValues => f.write_str("has too many values without bytes"),
            Self::Depth(limit) => write!(f, "is nested more than {limit} levels deep"),
        }
    }
}

impl<'a> Input<'a> {
    /// The document in `bytes` from byte `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        let free = bytes.len().saturating_mul(FREE_VALUES_PER_BYTE);
        Self {
            bytes,
            at,
            free: free.saturating_add(FREE_VALUES).min(MAX_FREE_VALUES),
        }
    }

    /// The number of the next byte.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn malformed<T>(&self, byte: usize, reason: Reason) -> Result<T, Malformed> {
        Err(Malformed { byte, reason })
    }

    /// Counts a value without bytes.
    pub(super) fn free_value(&mut self) -> Result<(), Malformed> {
        self.count_free(1)
    }

    /// Counts values without bytes.
    pub(super) fn count_free(&mut self, values: usize) -> Result<(), Malformed> {
        match self.free.checked_sub(values) {
            Some(free) => {
                self.free = free;
                Ok(())
            }
            None => self.malformed(self.at, Reason::FreeValues),
        }
    }

    /// How many values without bytes were counted.
    pub(super) fn free_values(&self) -> usize {
        Self::new(self.bytes, 0).free - self.free
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => self.malformed(self.at, Reason::Ends(self.bytes.len())),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = &self.bytes[self.at..];
        match rest.first_chunk() {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => self.malformed(self.at, Reason::Ends(self.bytes.len())),
        }
    }

    /// A number of 7 bits per byte, at most `max_bytes` bytes long.
    fn varint(&mut self, max_bytes: usize) -> Result<u64, Malformed> {
        let start = self.at;
        let rest = &self.bytes[start..];
        if let Some(byte) = rest.first()
            && *byte < 0x80
        {
            self.at += 1;
            return Ok((*byte).into());
        }
        let mut value = 0_u64;
        for (index, byte) in rest.iter().take(max_bytes).enumerate() {
            let bits = u64::from(byte & 0x7f);
            // Only one bit of the tenth byte is part of the number.
            if index == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        match rest.len() < max_bytes {
            true => self.malformed(start, Reason::Ends(self.bytes.len())),
            false => self.malformed(start, Reason::LongNumber),
        }
    }

    pub(super) fn long(&mut self) -> Result<i64, Malformed> {
        let value = self.varint(10)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn int(&mut self) -> Result<i32, Malformed> {
        let start = self.at;
        let value = self.varint(5)?;
        let value = (value >> 1) as i64 ^ -((value & 1) as i64);
        match i32::try_from(value) {
            Ok(value) => Ok(value),
            Err(_) => self.malformed(start, Reason::IntRange(value)),
        }
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Malformed> {
        let start = self.at;
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => self.malformed(start, Reason::Boolean(other)),
        }
    }

    pub(super) fn float(&mut self) -> Result<f32, Malformed> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    pub(super) fn double(&mut self) -> Result<f64, Malformed> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// Bytes with their length before them.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        let length = self.long()?;
        let Ok(unsigned) = u64::try_from(length) else {
            return self.malformed(start, Reason::NegativeLength(length));
        };
        let left = self.left();
        match usize::try_from(unsigned) {
            Ok(length) if length <= left => self.take(length),
            _ => self.malformed(
                start,
                Reason::Length {
                    length: unsigned,
                    left,
                },
            ),
        }
    }

    pub(super) fn string(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.bytes()?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) => {
                let start = self.at - bytes.len();
                self.malformed(start + error.valid_up_to(), Reason::Utf8)
            }
        }
    }

    /// The index of a branch of a union.
    pub(super) fn branch(&mut self, branches: usize) -> Result<usize, Malformed> {
        let start = self.at;
        let index = self.long()?;
        match usize::try_from(index) {
            Ok(index) if index < branches => Ok(index),
            _ => self.malformed(start, Reason::Branch { index, branches }),
        }
    }

    /// The index of a symbol of an enum.
    pub(super) fn symbol(&mut self, symbols: usize) -> Result<usize, Malformed> {
        let start = self.at;
        let index = self.int()?;
        match usize::try_from(index) {
            Ok(index) if index < symbols => Ok(index),
            _ => self.malformed(
                start,
                Reason::Symbol {
                    index: index.into(),
                    symbols,
                },
            ),
        }
    }

    /// Ends the document.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        match self.left() {
            0 => Ok(()),
            left => self.malformed(self.at, Reason::Trailing(left)),
        }
    }
}

/// Counts the items of an array or a map, block by block.
#[derive(Debug)]
pub(super) struct Items {
    /// Whether each item has at least one byte.
    have_bytes: bool,
    /// How many items of the current block are left.
    left: u64,
    /// Where the current block starts and how many bytes it says it has.
    stated: Option<(usize, usize)>,
}

impl Items {
    pub(super) fn new(have_bytes: bool) -> Self {
        Self {
            have_bytes,
            left: 0,
            stated: None,
        }
    }

    /// Whether there is another item; it is next in `input`.
    pub(super) fn next(&mut self, input: &mut Input<'_>) -> Result<bool, Malformed> {
        if self.left == 0 && !self.block(input)? {
            return Ok(false);
        }
        self.left -= 1;
        if !self.have_bytes {
            input.free_value()?;
        }
        Ok(true)
    }

    /// Starts a block; `false` at the end.
    fn block(&mut self, input: &mut Input<'_>) -> Result<bool, Malformed> {
        if let Some((start, stated)) = self.stated.take() {
            let found = input.position() - start;
            if found != stated {
                return input.malformed(start, Reason::BlockSize { stated, found });
            }
        }
        let start = input.position();
        let count = input.long()?;
        if count < 0 {
            // A negative count is followed by the size of the block.
            let at = input.position();
            let size = input.long()?;
            let Ok(stated) = usize::try_from(size) else {
                return input.malformed(at, Reason::NegativeLength(size));
            };
            self.stated = Some((input.position(), stated));
        }
        self.left = count.unsigned_abs();
        let left = input.left();
        if self.have_bytes && self.left > left as u64 {
            let count = self.left;
            return input.malformed(start, Reason::BlockCount { count, left });
        }
        Ok(count != 0)
    }
}
