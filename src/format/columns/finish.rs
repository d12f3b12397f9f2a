//! Columns to Arrow arrays.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, GenericBinaryArray, GenericStringArray,
    ListArray, PrimitiveArray, StringViewArray, StructArray, make_array,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, FieldRef,
    Fields, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::arrow::error::ArrowError;

use super::{Column, Values};
use crate::error::{Error, Result};

impl Column {
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
