//! Reads the parts of an answer.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use minicbor::decode::Decoder;

use crate::kinesis::wire::unix_millis;
use crate::model::UnixMillis;

/// Why an answer cannot be read.
#[derive(Debug)]
pub(in crate::kinesis) struct Malformed(String);

impl Malformed {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    pub(super) fn missing(member: &str) -> Self {
        Self(format!("missing member '{member}'"))
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Malformed {}

/// Major types (RFC 8949, section 3.1).
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

/// Initial bytes with a meaning of their own (RFC 8949, section 3.3).
const NULL: u8 = 0xF6;
const UNDEFINED: u8 = 0xF7;
const SINGLE: u8 = 0xFA;
const DOUBLE: u8 = 0xFB;
const BREAK: u8 = 0xFF;

/// Reads one value of an answer after the other.
///
/// It is written for pages of many small records: names and strings are compared and returned as the bytes they
/// are, and only what has to be text is checked. The functions that run for each member are always inlined. Otherwise
/// their results would be passed through memory, which doubles the time per record (`benches/wire`).
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Checks that nothing follows the last value.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        match self.bytes.len() - self.position {
            0 => Ok(()),
            rest => Err(Malformed(format!("{rest} bytes follow the answer"))),
        }
    }

    /// Reads a map: gives each name to `member`, which reads the value or returns `false` to skip it.
    #[inline(always)]
    pub(super) fn map(
        &mut self,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        let length = self.length(MAP, "a map")?;
        self.repeat(length, |reader| {
            let name = reader.text_bytes()?;
            match member(reader, &name)? {
                true => Ok(()),
                false => reader.skip(),
            }
        })
    }

    /// Reads an array, each element by `element`.
    pub(super) fn array(
        &mut self,
        element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let length = self.length(ARRAY, "an array")?;
        self.repeat(length, element)
    }

    /// As [`array`](Self::array); null is an array without elements.
    pub(super) fn optional_array(
        &mut self,
        element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        match self.is_null()? {
            true => Ok(()),
            false => self.array(element),
        }
    }

    /// Runs `read` for each of `length` parts; `None` means up to a break.
    #[inline(always)]
    fn repeat(
        &mut self,
        length: Option<u64>,
        mut read: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        match length {
            Some(length) => (0..length).try_for_each(|_| read(self)),
            None => {
                while self.peek()? != BREAK {
                    read(self)?;
                }
                self.position += 1;
                Ok(())
            }
        }
    }

    /// Skips a value of any type.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        let mut decoder = Decoder::new(self.bytes);
        decoder.set_position(self.position);
        decoder
            .skip()
            .map_err(|error| Malformed(error.to_string()))?;
        self.position = decoder.position();
        Ok(())
    }

    /// A text.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let invalid = || Malformed::new("a text is no valid UTF-8");
        Ok(match self.text_bytes()? {
            Cow::Borrowed(bytes) => {
                Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| invalid())?)
            }
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).map_err(|_| invalid())?),
        })
    }

    /// A text, or `None` for null.
    pub(super) fn optional_text(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        match self.is_null()? {
            true => Ok(None),
            false => self.text().map(Some),
        }
    }

    /// The bytes of a text, which may be no valid UTF-8.
    #[inline(always)]
    pub(super) fn text_bytes(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        self.string(TEXT, "a text")
    }

    /// A byte string, or a text in base64.
    #[inline(always)]
    pub(super) fn bytes(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        if self.peek()? >> 5 != TEXT {
            return self.string(BYTES, "a byte string");
        }
        let decoded = base64_simd::STANDARD.decode_to_vec(self.text_bytes()?);
        let decoded = decoded.map_err(|_| Malformed::new("a text is no valid base64"));
        decoded.map(Cow::Owned)
    }

    /// A number, or `None` for null.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Result<Option<f64>, Malformed> {
        if self.is_null()? {
            return Ok(None);
        }
        let initial = self.peek()?;
        match initial {
            SINGLE | DOUBLE => {
                self.position += 1;
                let number = match initial {
                    SINGLE => f32::from_be_bytes(self.fixed()?).into(),
                    _ => f64::from_be_bytes(self.fixed()?),
                };
                Ok(Some(number))
            }
            _ => {
                let (major, argument) = self.head()?;
                let argument = argument.filter(|_| major == UNSIGNED || major == NEGATIVE);
                let argument = argument.ok_or_else(|| unexpected(initial, "a number"))?;
                #[expect(clippy::cast_precision_loss, reason = "times have less than 53 bits")]
                let number = argument as f64;
                Ok(Some(match major {
                    UNSIGNED => number,
                    _ => -1.0 - number,
                }))
            }
        }
    }

    /// A time, or `None` for null.
    ///
    /// The service sends milliseconds as a tagged integer. Emulators also leave out the tag, or send seconds, as an
    /// integer or a float. A number below 10^11 is seconds: as milliseconds it would be a time before March 1973.
    #[inline(always)]
    pub(super) fn time(&mut self) -> Result<Option<UnixMillis>, Malformed> {
        const LEAST_MILLIS: f64 = 1e11;
        if self.peek()? >> 5 == TAG {
            self.head()?;
        }
        let time = self
            .number()?
            .map(|number| match number.abs() < LEAST_MILLIS {
                true => unix_millis(number * 1_000.0),
                false => unix_millis(number),
            });
        time.transpose().map_err(Malformed::new)
    }

    /// Whether the next value is null, which is skipped.
    #[inline(always)]
    fn is_null(&mut self) -> Result<bool, Malformed> {
        let is_null = matches!(self.peek()?, NULL | UNDEFINED);
        self.position += usize::from(is_null);
        Ok(is_null)
    }

    /// A string of this major type, borrowed from the answer if it has a length.
    #[inline(always)]
    fn string(&mut self, major: u8, expected: &str) -> Result<Cow<'a, [u8]>, Malformed> {
        match self.length(major, expected)? {
            Some(length) => self.take(length).map(Cow::Borrowed),
            None => self.chunks(major, expected).map(Cow::Owned),
        }
    }

    /// The chunks of a string of unknown length.
    #[cold]
    fn chunks(&mut self, major: u8, expected: &str) -> Result<Vec<u8>, Malformed> {
        let mut bytes = Vec::new();
        while self.peek()? != BREAK {
            let initial = self.peek()?;
            let length = self.length(major, expected)?;
            let length = length.ok_or_else(|| unexpected(initial, "a string of known length"))?;
            bytes.extend_from_slice(self.take(length)?);
        }
        self.position += 1;
        Ok(bytes)
    }

    /// The length of a value of this major type; `None` if it ends with a break.
    #[inline(always)]
    fn length(&mut self, major: u8, expected: &str) -> Result<Option<u64>, Malformed> {
        let initial = self.peek()?;
        match initial >> 5 == major {
            true => self.head().map(|(_, length)| length),
            false => Err(unexpected(initial, expected)),
        }
    }

    /// The major type of the next value, and its argument; `None` if its length is unknown.
    #[inline(always)]
    fn head(&mut self) -> Result<(u8, Option<u64>), Malformed> {
        const UNKNOWN_LENGTH: u8 = 31;
        let initial = self.peek()?;
        let (major, info) = (initial >> 5, initial & 0x1F);
        self.position += 1;
        let argument = match info {
            0..24 => u64::from(info),
            24 => u64::from(u8::from_be_bytes(self.fixed()?)),
            25 => u64::from(u16::from_be_bytes(self.fixed()?)),
            26 => u64::from(u32::from_be_bytes(self.fixed()?)),
            27 => u64::from_be_bytes(self.fixed()?),
            UNKNOWN_LENGTH if (BYTES..=MAP).contains(&major) => return Ok((major, None)),
            _ => return Err(unexpected(initial, "a value")),
        };
        Ok((major, Some(argument)))
    }

    #[inline(always)]
    fn peek(&self) -> Result<u8, Malformed> {
        self.bytes.get(self.position).copied().ok_or_else(end)
    }

    #[inline(always)]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let fixed = rest.first_chunk().ok_or_else(end)?;
        self.position += N;
        Ok(*fixed)
    }

    #[inline(always)]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| end())?;
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let taken = rest.get(..length).ok_or_else(end)?;
        self.position += length;
        Ok(taken)
    }
}

#[cold]
fn end() -> Malformed {
    Malformed::new("the answer ends inside a value")
}

#[cold]
fn unexpected(initial: u8, expected: &str) -> Malformed {
    let found = match initial >> 5 {
        UNSIGNED | NEGATIVE => "a number",
        BYTES => "a byte string",
        TEXT => "a text",
        ARRAY => "an array",
        MAP => "a map",
        TAG => "a tag",
        SIMPLE if matches!(initial, NULL | UNDEFINED) => "null",
        _ => "another value",
    };
    Malformed(format!(
        "found {found} (byte 0x{initial:02x}), expected {expected}"
    ))
}
