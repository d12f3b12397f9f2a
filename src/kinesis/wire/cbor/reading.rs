//! Reads the parts of an answer.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};

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

impl From<Error> for Malformed {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// Reads one value of an answer after the other.
pub(super) struct Reader<'a>(Decoder<'a>);

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self(Decoder::new(body))
    }

    /// Checks that nothing follows the last value.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        match self.0.input().len() - self.0.position() {
            0 => Ok(()),
            rest => Err(Malformed(format!("{rest} bytes follow the answer"))),
        }
    }

    /// Reads a map: gives each name to `member`, which reads the value or returns `false` to skip it.
    pub(super) fn map(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        let length = self.0.map()?;
        self.repeat(length, |reader| {
            let name = reader.text()?;
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
        let length = self.0.array()?;
        self.repeat(length, element)
    }

    /// As [`array`](Self::array); null is an array without elements.
    pub(super) fn optional_array(
        &mut self,
        element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        match self.if_any()? {
            None => Ok(()),
            Some(_) => self.array(element),
        }
    }

    /// Runs `read` for each of `length` parts; `None` means up to a break.
    fn repeat(
        &mut self,
        length: Option<u64>,
        mut read: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        match length {
            Some(length) => (0..length).try_for_each(|_| read(self)),
            None => loop {
                if self.0.datatype()? == Type::Break {
                    self.0.set_position(self.0.position() + 1);
                    return Ok(());
                }
                read(self)?;
            },
        }
    }

    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        Ok(self.0.skip()?)
    }

    /// `None` if the next value is null, which is skipped.
    fn if_any(&mut self) -> Result<Option<Type>, Malformed> {
        match self.0.datatype()? {
            Type::Null | Type::Undefined => {
                self.0.skip()?;
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    /// A text.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        match self.0.datatype()? {
            Type::StringIndef => {
                let chunks = self.0.str_iter()?;
                Ok(Cow::Owned(chunks.collect::<Result<String, _>>()?))
            }
            _ => Ok(Cow::Borrowed(self.0.str()?)),
        }
    }

    /// A text, or `None` for null.
    pub(super) fn optional_text(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        match self.if_any()? {
            None => Ok(None),
            Some(_) => self.text().map(Some),
        }
    }

    /// A byte string, or a text in base64.
    pub(super) fn bytes(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        match self.0.datatype()? {
            Type::BytesIndef => {
                let mut bytes = Vec::new();
                for chunk in self.0.bytes_iter()? {
                    bytes.extend_from_slice(chunk?);
                }
                Ok(Cow::Owned(bytes))
            }
            Type::String | Type::StringIndef => {
                let decoded = base64_simd::STANDARD.decode_to_vec(self.text()?.as_bytes());
                let decoded = decoded.map_err(|_| Malformed::new("a text is no valid base64"));
                decoded.map(Cow::Owned)
            }
            _ => Ok(Cow::Borrowed(self.0.bytes()?)),
        }
    }

    /// A number, or `None` for null.
    pub(super) fn number(&mut self) -> Result<Option<f64>, Malformed> {
        match self.if_any()? {
            None => Ok(None),
            Some(Type::F32 | Type::F64) => Ok(Some(self.0.f64()?)),
            #[expect(clippy::cast_precision_loss, reason = "times have less than 53 bits")]
            Some(_) => Ok(Some(self.0.i64()? as f64)),
        }
    }

    /// A time, or `None` for null.
    ///
    /// The service sends milliseconds as a tagged integer. Emulators also leave out the tag, or send seconds, as an
    /// integer or a float. A number below 10^11 is seconds: as milliseconds it would be a time before March 1973.
    pub(super) fn time(&mut self) -> Result<Option<UnixMillis>, Malformed> {
        const LEAST_MILLIS: f64 = 1e11;
        if self.0.datatype()? == Type::Tag {
            self.0.tag()?;
        }
        let time = self
            .number()?
            .map(|number| match number.abs() < LEAST_MILLIS {
                true => unix_millis(number * 1_000.0),
                false => unix_millis(number),
            });
        time.transpose().map_err(Malformed::new)
    }
}
