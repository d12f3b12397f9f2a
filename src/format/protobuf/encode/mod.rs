//! A row as a Protobuf message.

mod values;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Fields, TimeUnit};

use self::values::{delimited, put_scalar, put_tag, put_varint, scalar_at};
use super::descriptor::{Descriptor, FieldKind, Label, ScalarKind};
use super::plan::{AbsentPlan, FieldPlan, MessagePlan, Shape, ValuePlan};
use super::scalar::{self, Scalar};
use super::wire::WireType;
use super::{epoch, plan, times};
use crate::error::{Error, Result};
use crate::format::documents::DocumentFailure;
use crate::options::FormatOptions;

/// Encodes rows of columns as messages.
#[derive(Debug)]
pub(in crate::format) struct MessageEncoder<'a> {
    descriptor: &'a Descriptor,
    plan: MessagePlan,
    epoch: Option<TimeUnit>,
}

type Encoded = std::result::Result<(), DocumentFailure>;

impl<'a> MessageEncoder<'a> {
    /// An encoder of rows of `columns`.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a column that can only be read, such as one of JSON text,
    /// and for a required field without a column.
    pub(in crate::format) fn new(
        descriptor: &'a Descriptor,
        options: &FormatOptions,
        columns: &Fields,
    ) -> Result<Self> {
        let plan = plan(descriptor, options, columns)?;
        let encoder = Self {
            descriptor,
            plan,
            epoch: epoch(options),
        };
        let message = descriptor.message(descriptor.root());
        let missing = message.fields.iter().find(|field| {
            let mut columns = encoder.plan.fields.iter();
            let is_required = field.label == Label::Required;
            is_required && !columns.any(|plan| plan.field.number == field.number)
        });
        if let Some(field) = missing {
            return Err(Error::unsupported(format!(
                "Protobuf field '{}' is required: expected a column for it in a table that is written to",
                field.name
            )));
        }
        for (plan, column) in encoder.plan.fields.iter().zip(columns) {
            refuse_unwritable(plan, column.data_type())?;
        }
        Ok(encoder)
    }

    /// Appends the message of `row` of `columns`.
    ///
    /// # Errors
    /// A value that its field cannot have: `out` is as long as it was, or longer.
    pub(in crate::format) fn encode(
        &self,
        columns: &[ArrayRef],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Encoded {
        self.message(&self.plan, columns, row, out)
    }

    fn message(
        &self,
        plan: &MessagePlan,
        columns: &[ArrayRef],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Encoded {
        for members in &plan.oneofs {
            let mut set = members
                .iter()
                .filter(|member| !columns[**member].is_null(row));
            if let (Some(first), Some(second)) = (set.next(), set.next()) {
                let other = &plan.fields[*first].path;
                let reason =
                    format!("belongs to one oneof with '{other}': expected NULL in one of them");
                return Err(failure(&plan.fields[*second], reason));
            }
        }
        for (field, column) in plan.fields.iter().zip(columns) {
            self.field(field, column, row, out)?;
        }
        Ok(())
    }

    fn field(&self, plan: &FieldPlan, column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Encoded {
        if column.is_null(row) {
            return match plan.field.label {
                Label::Required => Err(failure(plan, "is required, but NULL".to_owned())),
                _ => Ok(()),
            };
        }
        let number = plan.field.number;
        let value = match &plan.shape {
            Shape::One(value) => return self.value(plan, value, column, row, out),
            Shape::JsonObject(_) => return Err(unwritable(plan)),
            Shape::List(value) => Some(value),
            Shape::Entries(..) => None,
        };
        let list = column.as_list::<i32>();
        let offsets = list.value_offsets();
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let items = list.values();
        if (start..end).any(|item| items.is_null(item)) {
            return Err(failure(
                plan,
                "has a NULL item, which Protobuf cannot represent".to_owned(),
            ));
        }
        match (&plan.shape, value) {
            (Shape::Entries(_, entry), _) => {
                let columns = items.as_struct().columns();
                for item in start..end {
                    if columns.iter().any(|column| column.is_null(item)) {
                        let reason = "has an entry with a NULL, which Protobuf cannot represent";
                        return Err(failure(plan, reason.to_owned()));
                    }
                    put_tag(number, WireType::Bytes, out);
                    delimited(out, |out| self.message(entry, columns, item, out))?;
                }
                Ok(())
            }
            (_, Some(ValuePlan::Scalar(kind))) if plan.field.is_packed && start < end => {
                put_tag(number, WireType::Bytes, out);
                delimited(out, |out| {
                    for item in start..end {
                        put_scalar(*kind, self.scalar(plan, *kind, items, item)?, out);
                    }
                    Ok(())
                })
            }
            (_, Some(value)) => {
                (start..end).try_for_each(|item| self.value(plan, value, items, item, out))
            }
            (_, None) => Ok(()),
        }
    }

    fn scalar<'v>(
        &self,
        plan: &FieldPlan,
        kind: ScalarKind,
        column: &'v ArrayRef,
        row: usize,
    ) -> std::result::Result<Scalar<'v>, DocumentFailure> {
        let value = scalar_at(kind, column, row, self.descriptor, self.epoch);
        value.map_err(|reason| failure(plan, reason))
    }

    fn value(
        &self,
        plan: &FieldPlan,
        value: &ValuePlan,
        column: &ArrayRef,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Encoded {
        let number = plan.field.number;
        match value {
            ValuePlan::Scalar(kind) => {
                let value = self.scalar(plan, *kind, column, row)?;
                // A field without presence is absent if it is zero. Items of lists are always written.
                let is_implied = matches!(
                    (&plan.absent, &plan.shape),
                    (AbsentPlan::Zero, Shape::One(_))
                );
                if is_implied && scalar::is_zero(value, *kind, self.descriptor) {
                    return Ok(());
                }
                put_tag(number, kind.wire_type(), out);
                put_scalar(*kind, value, out);
                Ok(())
            }
            ValuePlan::Struct(inner) => {
                let columns = column.as_struct().columns();
                if let FieldKind::Group(_) = plan.field.kind {
                    put_tag(number, WireType::StartGroup, out);
                    self.message(inner, columns, row, out)?;
                    put_tag(number, WireType::EndGroup, out);
                    return Ok(());
                }
                put_tag(number, WireType::Bytes, out);
                delimited(out, |out| self.message(inner, columns, row, out))
            }
            ValuePlan::Wrapped(kind) => {
                let value = self.scalar(plan, *kind, column, row)?;
                put_tag(number, WireType::Bytes, out);
                delimited(out, |out| {
                    if !scalar::is_zero(value, *kind, self.descriptor) {
                        put_tag(1, kind.wire_type(), out);
                        put_scalar(*kind, value, out);
                    }
                    Ok(())
                })
            }
            ValuePlan::Timestamp | ValuePlan::Duration => {
                let parts = match value {
                    ValuePlan::Timestamp => times::timestamp_parts(column, row),
                    _ => times::duration_parts(column, row),
                };
                let (seconds, nanos) = parts.ok_or_else(|| unwritable(plan))?;
                put_tag(number, WireType::Bytes, out);
                delimited(out, |out| {
                    for (number, part) in [(1, seconds), (2, i64::from(nanos))] {
                        if part != 0 {
                            put_tag(number, WireType::Varint, out);
                            put_varint(part as u64, out);
                        }
                    }
                    Ok(())
                })
            }
            ValuePlan::Json(_) => Err(unwritable(plan)),
        }
    }
}

fn failure(plan: &FieldPlan, reason: String) -> DocumentFailure {
    DocumentFailure {
        byte: None,
        field: Some(plan.path.clone()),
        reason,
    }
}

fn unwritable(plan: &FieldPlan) -> DocumentFailure {
    failure(plan, "can only be read".to_owned())
}

/// Refuses a column that can be read, but has no message.
fn refuse_unwritable(plan: &FieldPlan, data_type: &DataType) -> Result<()> {
    let item = match data_type {
        DataType::List(item) => item.data_type(),
        other => other,
    };
    let (inner, expected) = match &plan.shape {
        Shape::JsonObject(_) => (
            None,
            Some("an array of structs with fields 'key' and 'value'"),
        ),
        Shape::Entries(_, inner) => (Some(inner), None),
        Shape::One(value) | Shape::List(value) => match value {
            ValuePlan::Struct(inner) => (Some(inner), None),
            ValuePlan::Json(_) => (None, Some("STRUCT")),
            ValuePlan::Timestamp if item.is_string() => (None, Some("TIMESTAMP")),
            ValuePlan::Duration if item.is_string() => (None, Some("BIGINT for nanoseconds")),
            ValuePlan::Scalar(kind) | ValuePlan::Wrapped(kind) => {
                (None, values::expected_type(*kind, item))
            }
            ValuePlan::Timestamp | ValuePlan::Duration => (None, None),
        },
    };
    if let Some(expected) = expected {
        return Err(Error::unsupported(format!(
            "column '{}' can only be read: expected {expected} in a table that is written to",
            plan.path
        )));
    }
    if let (Some(inner), DataType::Struct(columns)) = (inner, item) {
        for (plan, column) in inner.fields.iter().zip(columns) {
            refuse_unwritable(plan, column.data_type())?;
        }
    }
    Ok(())
}
