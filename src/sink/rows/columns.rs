//! Reads Arrow columns of any string or binary type.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, LargeBinaryArray,
    LargeStringArray, StringArray, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use crate::error::{Error, Result};

/// A column of bytes; strings are read as UTF-8.
#[derive(Debug)]
pub(in crate::sink) enum Payload {
    Text(Text),
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    BinaryView(BinaryViewArray),
    FixedSizeBinary(FixedSizeBinaryArray),
}

/// A column of strings.
#[derive(Debug)]
pub(in crate::sink) enum Text {
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
}

impl Payload {
    /// Accepts string and binary columns, dictionaries of these, and an untyped NULL.
    pub(in crate::sink) fn new(name: &str, array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Text(Text::Utf8(array.as_string().clone())),
            DataType::LargeUtf8 => Self::Text(Text::LargeUtf8(array.as_string().clone())),
            DataType::Utf8View => Self::Text(Text::Utf8View(array.as_string_view().clone())),
            DataType::Binary => Self::Binary(array.as_binary().clone()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary().clone()),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view().clone()),
            DataType::FixedSizeBinary(_) => {
                Self::FixedSizeBinary(array.as_fixed_size_binary().clone())
            }
            DataType::Dictionary(_, plain) => Self::new(name, &convert(name, array, plain)?)?,
            DataType::Null => Self::new(name, &convert(name, array, &DataType::Utf8)?)?,
            other => {
                return Err(Error::invalid_row(format!(
                    "column '{name}' has type {other}: expected a string or binary; \
                     use CAST({name} AS VARCHAR)"
                )));
            }
        })
    }

    pub(in crate::sink) fn value(&self, row: usize) -> &[u8] {
        match self {
            Self::Text(text) => text.value(row).as_bytes(),
            Self::Binary(array) => array.value(row),
            Self::LargeBinary(array) => array.value(row),
            Self::BinaryView(array) => array.value(row),
            Self::FixedSizeBinary(array) => array.value(row),
        }
    }

    pub(in crate::sink) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(text) => text.is_null(row),
            Self::Binary(array) => array.is_null(row),
            Self::LargeBinary(array) => array.is_null(row),
            Self::BinaryView(array) => array.is_null(row),
            Self::FixedSizeBinary(array) => array.is_null(row),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(array) => array.len(),
            Self::LargeBinary(array) => array.len(),
            Self::BinaryView(array) => array.len(),
            Self::FixedSizeBinary(array) => array.len(),
        }
    }
}

impl Text {
    /// Accepts the same types as [`Payload::new`]; binary values must be UTF-8.
    pub(in crate::sink) fn new(name: &str, array: &ArrayRef) -> Result<Self> {
        let payload = match Payload::new(name, array)? {
            Payload::Text(text) => return Ok(text),
            payload => payload,
        };
        let strings = (0..payload.len()).map(|row| {
            if payload.is_null(row) {
                return Ok(None);
            }
            let bytes = payload.value(row);
            std::str::from_utf8(bytes).map(Some).map_err(|error| {
                let text = String::from_utf8_lossy(bytes);
                Error::invalid_row(format!(
                    "row {}: {name} '{}' is not valid UTF-8: expected a string",
                    row + 1,
                    shortened(&text)
                ))
                .with_source(error)
            })
        });
        strings.collect::<Result<StringArray>>().map(Self::Utf8)
    }

    pub(in crate::sink) fn value(&self, row: usize) -> &str {
        match self {
            Self::Utf8(array) => array.value(row),
            Self::LargeUtf8(array) => array.value(row),
            Self::Utf8View(array) => array.value(row),
        }
    }

    pub(in crate::sink) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Utf8(array) => array.is_null(row),
            Self::LargeUtf8(array) => array.is_null(row),
            Self::Utf8View(array) => array.is_null(row),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Utf8(array) => array.len(),
            Self::LargeUtf8(array) => array.len(),
            Self::Utf8View(array) => array.len(),
        }
    }
}

/// Shortens `text` for a message.
pub(in crate::sink) fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn convert(name: &str, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    cast(array, to).map_err(|error| {
        Error::internal(format!("column '{name}' cannot be read as {to}: {error}"))
            .with_source(error)
    })
}
