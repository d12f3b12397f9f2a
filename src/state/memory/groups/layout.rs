//! [`Layout`]: the layout of groups in memory, with keys as comparable bytes and states as columns.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, RecordBatchOptions,
    new_null_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, SchemaRef};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::common::utils::normalize_float_zero;
use datafusion::error::DataFusionError;

use crate::state::memory::columns::{SessionColumns, StateColumns};
use crate::state::memory::expiry::Expiry;

/// The layout that all partitions of a state share.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Group columns, then state columns, as in the plan.
    schema: SchemaRef,
    /// The number of group columns.
    groups: usize,
    session: Option<SessionColumns>,
    expiry: Option<Expiry>,
    /// The group columns in the order of a key: the bounds of a session are last.
    order: Vec<usize>,
    /// The size of the bounds of a session at the end of a key.
    bounds_bytes: usize,
    converter: RowConverter,
    /// The types of the state columns in memory. They are not views, which would keep whole buffers alive.
    stored: Vec<DataType>,
}

impl Layout {
    /// The layout of groups with `schema`, the first `groups` columns of which are the key.
    ///
    /// # Errors
    /// A group column has a type that cannot be compared.
    pub(crate) fn new(
        schema: SchemaRef,
        groups: usize,
        session: Option<SessionColumns>,
        expiry: Option<Expiry>,
    ) -> Result<Self> {
        let is_bound = |column: &usize| session.is_some_and(|s| [s.start, s.end].contains(column));
        let mut order: Vec<usize> = (0..groups).filter(|column| !is_bound(column)).collect();
        order.extend(session.iter().flat_map(|s| [s.start, s.end]));
        let field = |column: &usize| SortField::new(schema.field(*column).data_type().clone());
        let converter = RowConverter::new(order.iter().map(field).collect())?;
        let bounds_bytes = match session {
            None => 0,
            Some(SessionColumns { start, end }) => {
                let bounds = RowConverter::new([start, end].iter().map(field).collect())?;
                let nulls =
                    [start, end].map(|column| new_null_array(schema.field(column).data_type(), 1));
                bounds.convert_columns(&nulls)?.row_len(0)
            }
        };
        let states = schema.fields().iter().skip(groups);
        let stored = states.map(|field| without_views(field.data_type()));
        Ok(Self {
            stored: stored.collect(),
            schema,
            groups,
            session,
            expiry,
            order,
            bounds_bytes,
            converter,
        })
    }

    /// The layout of groups with `schema`, whose columns mean `described`.
    pub(crate) fn of_columns(schema: SchemaRef, described: StateColumns) -> Result<Self> {
        let expiry = described.ends.map(|ends| Expiry::new(ends, &schema));
        Self::new(
            schema,
            described.groups,
            described.session,
            expiry.transpose()?,
        )
    }

    /// What the columns mean.
    pub(crate) fn describe(&self) -> StateColumns {
        StateColumns {
            groups: self.groups,
            session: self.session,
            ends: self.expiry.as_ref().map(|expiry| expiry.ends_as().clone()),
        }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The number of group columns.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    pub(crate) fn expiry(&self) -> Option<&Expiry> {
        self.expiry.as_ref()
    }

    /// The part of a key that lookups use: all but the bounds of a session.
    pub(super) fn lookup_key<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        &key[..key.len() - self.bounds_bytes]
    }

    /// The keys of rows, whose first columns are the group columns.
    pub(crate) fn keys(&self, rows: &RecordBatch) -> Result<BinaryArray> {
        if self.groups == 0 {
            let offsets = OffsetBuffer::new_zeroed(rows.num_rows());
            return Ok(BinaryArray::new(offsets, Vec::<u8>::new().into(), None));
        }
        let column = |column: &usize| normalize_float_zero(rows.column(*column));
        let columns: Vec<ArrayRef> = self.order.iter().map(column).collect();
        Ok(self
            .converter
            .convert_columns(&columns)?
            .try_into_binary()?)
    }

    /// The state columns of `rows`, in the types of memory.
    pub(super) fn states(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let states = rows.columns()[self.groups..].iter().zip(&self.stored);
        let kept = states.map(|(column, stored)| match column.data_type() == stored {
            true => Ok(Arc::clone(column)),
            false => cast(column, stored).map_err(DataFusionError::from),
        });
        kept.collect()
    }

    /// The rows of these keys and states, in the types of the plan.
    pub(super) fn rows(&self, keys: BinaryArray, states: &[ArrayRef]) -> Result<RecordBatch> {
        let count = keys.len();
        let mut columns = self.key_columns(keys)?;
        for (index, column) in (self.groups..).zip(states) {
            columns.push(self.as_planned(index, Arc::clone(column))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    /// The group columns of these keys, in the types of the plan.
    pub(super) fn key_columns(&self, keys: BinaryArray) -> Result<Vec<ArrayRef>> {
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.groups];
        if self.groups > 0 {
            let decoded = self.converter.from_binary(keys);
            let decoded = self.converter.convert_rows(decoded.iter())?;
            for (column, values) in self.order.iter().zip(decoded) {
                columns[*column] = Some(self.as_planned(*column, values)?);
            }
        }
        Ok(columns.into_iter().flatten().collect())
    }

    /// Casts `values` to the type of `column` in the plan: keys lose their dictionaries.
    fn as_planned(&self, column: usize, values: ArrayRef) -> Result<ArrayRef> {
        let planned = self.schema.field(column).data_type();
        match values.data_type() == planned {
            true => Ok(values),
            false => Ok(cast(&values, planned)?),
        }
    }

    /// Start and end of each row's session, if groups are sessions.
    pub(super) fn bounds(&self, rows: &RecordBatch) -> Result<Option<(Vec<i64>, Vec<i64>)>> {
        let Some(SessionColumns { start, end }) = self.session else {
            return Ok(None);
        };
        let [start, end] = [start, end].map(|column| instants(rows.column(column)));
        Ok(Some((start?, end?)))
    }
}

/// Timestamps of any unit as numbers; null is the smallest number.
fn instants(column: &ArrayRef) -> Result<Vec<i64>> {
    let numbers = cast(column, &DataType::Int64)?;
    let numbers: &Int64Array = numbers.as_primitive::<Int64Type>();
    Ok(numbers.iter().map(|n| n.unwrap_or(i64::MIN)).collect())
}

/// A type for the same values without views.
fn without_views(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| -> FieldRef {
        let plain = without_views(field.data_type());
        Arc::new(Field::clone(field).with_data_type(plain))
    };
    match data_type {
        DataType::Utf8View => DataType::LargeUtf8,
        DataType::BinaryView => DataType::LargeBinary,
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}
