//! Columns that grow row by row and can be cut back, so that a row that cannot be decoded leaves no trace.
//!
//! Arrow's builders cannot be cut back. A [`Column`] holds the same buffers, and [`Column::truncate`] removes
//! every value after a row, at any nesting.

mod append;
mod mismatch;
mod numbers;
mod text;
mod times;
mod type_name;

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, BooleanBufferBuilder, GenericBinaryArray,
    GenericStringArray, ListArray, NullBufferBuilder, PrimitiveArray, StringViewArray, StructArray,
    make_array,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, FieldRef,
    Fields, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type, i256,
};
use datafusion::arrow::error::ArrowError;

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

    /// The values as an Arrow array; the column is empty afterwards.
    ///
    /// # Errors
    /// The buffers do not fit together, which is a defect.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let len = self.len();
        let nulls = self.nulls.finish();
        self.values
            .finish(&self.data_type, len, nulls)
            .map_err(|error| {
                let what = format!("decoded values are no valid {} column", self.data_type);
                Error::internal(what).with_source(error)
            })
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

    fn finish(
        &mut self,
        data_type: &DataType,
        len: usize,
        nulls: Option<NullBuffer>,
    ) -> ArrowResult<ArrayRef> {
        Ok(match self {
            Self::Boolean(bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            Self::Int8(vec) => primitive::<Int8Type>(vec, data_type, nulls)?,
            Self::Int16(vec) => primitive::<Int16Type>(vec, data_type, nulls)?,
            Self::Int32(vec) => primitive::<Int32Type>(vec, data_type, nulls)?,
            Self::Int64(vec) => primitive::<Int64Type>(vec, data_type, nulls)?,
            Self::UInt8(vec) => primitive::<UInt8Type>(vec, data_type, nulls)?,
            Self::UInt16(vec) => primitive::<UInt16Type>(vec, data_type, nulls)?,
            Self::UInt32(vec) => primitive::<UInt32Type>(vec, data_type, nulls)?,
            Self::UInt64(vec) => primitive::<UInt64Type>(vec, data_type, nulls)?,
            Self::Float32(vec) => primitive::<Float32Type>(vec, data_type, nulls)?,
            Self::Float64(vec) => primitive::<Float64Type>(vec, data_type, nulls)?,
            Self::Decimal128(vec) => primitive::<Decimal128Type>(vec, data_type, nulls)?,
            Self::Decimal256(vec) => primitive::<Decimal256Type>(vec, data_type, nulls)?,
            Self::Bytes { ends, bytes } => {
                variable_width(&offsets(ends), std::mem::take(bytes), data_type, nulls)?
            }
            Self::List { ends, item } => {
                let DataType::List(field) = data_type else {
                    unreachable!("a list column has a list type");
                };
                list(field, &offsets(ends), item, nulls)?
            }
            Self::Struct(fields) => {
                let DataType::Struct(types) = data_type else {
                    unreachable!("a struct column has a struct type");
                };
                structs(types, fields, len, nulls)?
            }
        })
    }
}

type ArrowResult<T> = std::result::Result<T, ArrowError>;

fn take<T: ArrowNativeType>(vec: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(std::mem::take(vec))
}

/// An array of fixed-width values, with the type that has the memory layout of `T`.
fn primitive<T: ArrowPrimitiveType>(
    vec: &mut Vec<T::Native>,
    data_type: &DataType,
    nulls: Option<NullBuffer>,
) -> ArrowResult<ArrayRef> {
    let array = PrimitiveArray::<T>::new(take(vec), nulls).into_data();
    let data = array.into_builder().data_type(data_type.clone()).build()?;
    Ok(make_array(data))
}

fn variable_width(
    offsets: &OffsetBuffer<i32>,
    bytes: Vec<u8>,
    data_type: &DataType,
    nulls: Option<NullBuffer>,
) -> ArrowResult<ArrayRef> {
    let bytes = Buffer::from_vec(bytes);
    let offsets = offsets.clone();
    Ok(match data_type {
        DataType::Utf8 => Arc::new(GenericStringArray::try_new(offsets, bytes, nulls)?),
        DataType::Utf8View => {
            let strings = GenericStringArray::<i32>::try_new(offsets, bytes, nulls)?;
            Arc::new(StringViewArray::from(&strings))
        }
        DataType::LargeUtf8 => {
            Arc::new(GenericStringArray::try_new(large(&offsets), bytes, nulls)?)
        }
        DataType::BinaryView => {
            let values = GenericBinaryArray::<i32>::try_new(offsets, bytes, nulls)?;
            Arc::new(BinaryViewArray::from(&values))
        }
        DataType::LargeBinary => {
            Arc::new(GenericBinaryArray::try_new(large(&offsets), bytes, nulls)?)
        }
        _ => Arc::new(GenericBinaryArray::try_new(offsets, bytes, nulls)?),
    })
}

fn list(
    field: &FieldRef,
    offsets: &OffsetBuffer<i32>,
    item: &mut Column,
    nulls: Option<NullBuffer>,
) -> ArrowResult<ArrayRef> {
    let items = item.finish().map_err(external)?;
    let list = ListArray::try_new(Arc::clone(field), offsets.clone(), items, nulls)?;
    Ok(Arc::new(list))
}

fn structs(
    types: &Fields,
    fields: &mut [Column],
    len: usize,
    nulls: Option<NullBuffer>,
) -> ArrowResult<ArrayRef> {
    let arrays = fields.iter_mut().map(Column::finish);
    let arrays = arrays.collect::<Result<Vec<_>>>().map_err(external)?;
    let structs = StructArray::try_new_with_length(types.clone(), arrays, nulls, len)?;
    Ok(Arc::new(structs))
}

fn external(error: Error) -> ArrowError {
    ArrowError::from_external_error(Box::new(error))
}

fn large(offsets: &OffsetBuffer<i32>) -> OffsetBuffer<i64> {
    OffsetBuffer::new(offsets.iter().map(|offset| i64::from(*offset)).collect())
}

/// The offsets of values with these ends; empties `ends`.
fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    offsets.append(ends);
    OffsetBuffer::new(offsets.into())
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
