//! Columns that grow row by row and can be cut back, so that a row that cannot be decoded leaves no trace.
//!
//! Arrow's builders cannot be cut back. A [`Column`] holds the same buffers, and [`Column::truncate`] removes
//! every value after a row, at any nesting.

mod append;
mod finish;
mod mismatch;
mod numbers;
mod text;
mod times;
mod type_name;

use datafusion::arrow::array::{BooleanBufferBuilder, NullBufferBuilder};
use datafusion::arrow::datatypes::{ArrowNativeType, DataType, i256};

pub(crate) use self::mismatch::Mismatch;
pub(crate) use self::numbers::{decimal_text, rescaled};
pub(crate) use self::type_name::type_name;
use crate::error::{Error, Result};

/// The values of one column, or of one field of a nested column.
#[derive(Debug)]
pub(crate) struct Column {
    data_type: DataType,
    nulls: NullBufferBuilder,
    values: Values,
}

/// The buffers of a column. Types with the same memory layout share a variant.
#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    /// Also dates.
    Int32(Vec<i32>),
    /// Also timestamps and times.
    Int64(Vec<i64>),
    UInt8(Vec<u8>),
    UInt16(Vec<u16>),
    UInt32(Vec<u32>),
    UInt64(Vec<u64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal128(Vec<i128>),
    Decimal256(Vec<i256>),
    /// Strings and binary values; the end of each.
    Bytes {
        ends: Vec<i32>,
        bytes: Vec<u8>,
    },
    List {
        ends: Vec<i32>,
        item: Box<Column>,
    },
    Struct(Vec<Column>),
}

/// Runs `$body` with `$vec` bound to the vector of a fixed-width column, or `$other` for another column.
macro_rules! fixed_width {
    ($values:expr, $vec:ident => $body:expr, $other:pat => $otherwise:expr) => {
        match $values {
            Values::Int8($vec) => $body,
            Values::Int16($vec) => $body,
            Values::Int32($vec) => $body,
            Values::Int64($vec) => $body,
            Values::UInt8($vec) => $body,
            Values::UInt16($vec) => $body,
            Values::UInt32($vec) => $body,
            Values::UInt64($vec) => $body,
            Values::Float32($vec) => $body,
            Values::Float64($vec) => $body,
            Values::Decimal128($vec) => $body,
            Values::Decimal256($vec) => $body,
            $other => $otherwise,
        }
    };
}

impl Column {
    /// An empty column.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a type that no payload format has.
    pub(crate) fn new(data_type: &DataType) -> Result<Self> {
        Ok(Self {
            values: Values::new(data_type)?,
            data_type: data_type.clone(),
            nulls: NullBufferBuilder::new(0),
        })
    }

    /// The type of its values.
    pub(crate) fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Removes the values from index `len` on.
    ///
    /// This includes parts of a nested value that was not finished.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        if len < self.nulls.len() {
            self.nulls.truncate(len);
        }
    }

    /// Appends NULL.
    pub(crate) fn push_null(&mut self) {
        self.values.push_default();
        self.nulls.append_null();
    }

    /// The item column of a list.
    pub(crate) fn list_item(&mut self) -> Option<&mut Self> {
        match &mut self.values {
            Values::List { item, .. } => Some(item),
            _ => None,
        }
    }

    /// Appends a list of all items that were pushed to [`list_item`](Self::list_item) since the last list.
    pub(crate) fn finish_list(&mut self) {
        if let Values::List { ends, item } = &mut self.values {
            ends.push(end(item.len()));
            self.nulls.append_non_null();
        }
    }

    /// The fields of a struct column, in the order of its type.
    pub(crate) fn struct_fields(&mut self) -> Option<&mut [Self]> {
        match &mut self.values {
            Values::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    /// Appends a struct, after one value was pushed to each of [`struct_fields`](Self::struct_fields).
    pub(crate) fn finish_struct(&mut self) {
        self.nulls.append_non_null();
    }
}

impl Values {
    fn new(data_type: &DataType) -> Result<Self> {
        Ok(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Self::Int8(Vec::new()),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 | DataType::Date32 => Self::Int32(Vec::new()),
            DataType::Int64 | DataType::Timestamp(_, _) | DataType::Time64(_) => {
                Self::Int64(Vec::new())
            }
            DataType::UInt8 => Self::UInt8(Vec::new()),
            DataType::UInt16 => Self::UInt16(Vec::new()),
            DataType::UInt32 => Self::UInt32(Vec::new()),
            DataType::UInt64 => Self::UInt64(Vec::new()),
            DataType::Float32 => Self::Float32(Vec::new()),
            DataType::Float64 => Self::Float64(Vec::new()),
            DataType::Decimal128(_, _) => Self::Decimal128(Vec::new()),
            DataType::Decimal256(_, _) => Self::Decimal256(Vec::new()),
            DataType::Utf8
            | DataType::Utf8View
            | DataType::LargeUtf8
            | DataType::Binary
            | DataType::BinaryView
            | DataType::LargeBinary => Self::Bytes {
                ends: Vec::new(),
                bytes: Vec::new(),
            },
            DataType::List(item) => Self::List {
                ends: Vec::new(),
                item: Box::new(Column::new(item.data_type())?),
            },
            DataType::Struct(fields) => {
                let fields = fields.iter().map(|field| Column::new(field.data_type()));
                Self::Struct(fields.collect::<Result<_>>()?)
            }
            other => {
                return Err(Error::unsupported(format!(
                    "a payload cannot be decoded to type {other}: expected a boolean, number, decimal, string, \
                     binary, date, time, timestamp, array or struct"
                )));
            }
        })
    }

    fn truncate(&mut self, len: usize) {
        fixed_width!(self, vec => vec.truncate(len), other => match other {
            Self::Boolean(bits) => bits.truncate(len),
            Self::Bytes { ends, bytes } => {
                ends.truncate(len);
                bytes.truncate(last_end(ends));
            }
            Self::List { ends, item } => {
                ends.truncate(len);
                item.truncate(last_end(ends));
            }
            Self::Struct(fields) => fields.iter_mut().for_each(|field| field.truncate(len)),
            _ => {}
        });
    }

    fn push_default(&mut self) {
        fixed_width!(self, vec => vec.push(Default::default()), other => match other {
            Self::Boolean(bits) => bits.append(false),
            Self::Bytes { ends, .. } | Self::List { ends, .. } => {
                let last = ends.last().copied().unwrap_or(0);
                ends.push(last);
            }
            Self::Struct(fields) => fields.iter_mut().for_each(Column::push_null),
            _ => {}
        });
    }
}

/// The end of a value, as an offset. Decoded batches stay far below 2 GiB; see
/// [`MAX_BATCH_BYTES`](super::MAX_BATCH_BYTES).
fn end(len: usize) -> i32 {
    i32::try_from(len).expect("a batch of decoded rows is smaller than 2 GiB")
}

fn last_end(ends: &[i32]) -> usize {
    ends.last().map_or(0, |end| end.as_usize())
}

#[cfg(test)]
mod tests;
