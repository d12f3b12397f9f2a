//! Plans which column holds which field of a message.

use datafusion::arrow::datatypes::{DataType, Field as ArrowField, FieldRef, TimeUnit};

use super::descriptor::{
    Absent, Descriptor, Enumeration, Field, FieldKind, Label, Message, MessageId, ScalarKind,
    WellKnown,
};
use super::plan::{AbsentPlan, FieldPlan, MessagePlan, Shape, ValuePlan};
use super::scalar;
use crate::error::{Error, Result};
use crate::format::columns::type_name;

/// Makes plans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planner<'a> {
    pub(super) descriptor: &'a Descriptor,
    /// The unit of integers that are timestamps.
    pub(super) epoch: Option<TimeUnit>,
}

impl Planner<'_> {
    /// The plan for columns of the message `id`. `path` leads to it.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) for a column without a field, and for one whose type
    /// cannot hold its field.
    pub(super) fn message<'f>(
        self,
        id: MessageId,
        columns: impl Iterator<Item = &'f FieldRef>,
        path: &str,
    ) -> Result<MessagePlan> {
        let message = self.descriptor.message(id);
        let mut fields: Vec<FieldPlan> = Vec::new();
        for column in columns {
            let path = match path {
                "" => column.name().clone(),
                path => format!("{path}.{}", column.name()),
            };
            let field = message.field_of_column(column.name());
            let field = field.ok_or_else(|| no_field(message, &path))?;
            if let Some(other) = fields
                .iter()
                .find(|other| other.field.number == field.number)
            {
                return Err(Error::invalid_option(format!(
                    "columns '{}' and '{path}' are both field '{}' of Protobuf message '{}': expected one of them",
                    other.path, field.name, message.name
                )));
            }
            fields.push(self.field(field, column, path)?);
        }
        Ok(MessagePlan::new(message, fields))
    }

    fn field(self, field: &Field, column: &ArrowField, path: String) -> Result<FieldPlan> {
        let data_type = column.data_type();
        let unfit = || self.unfit(field, data_type, &path);
        let shape = match (field.label, field.kind, data_type) {
            (Label::Map, FieldKind::Message(id), text) if text.is_string() => Shape::JsonObject(id),
            (Label::Map, FieldKind::Message(id), DataType::List(item)) => {
                let entries = self.entries(id, item, &path).transpose()?;
                Shape::Entries(id, entries.ok_or_else(unfit)?)
            }
            (Label::Repeated, _, DataType::List(item)) => {
                let value = self.value(field, item.data_type(), &path)?;
                Shape::List(value.ok_or_else(unfit)?)
            }
            (Label::Map | Label::Repeated, _, _) => return Err(unfit()),
            _ => Shape::One(self.value(field, data_type, &path)?.ok_or_else(unfit)?),
        };
        Ok(FieldPlan {
            path,
            shape,
            absent: match &field.absent {
                Absent::Null => AbsentPlan::Null,
                Absent::Stated(default) => AbsentPlan::Stated(default.clone()),
                Absent::Zero => AbsentPlan::Zero,
            },
            field: field.clone(),
        })
    }

    /// How a column of this type holds one value of `field`, if it can.
    fn value(self, field: &Field, data_type: &DataType, path: &str) -> Result<Option<ValuePlan>> {
        let id = match field.kind {
            FieldKind::Scalar(kind) => {
                let fits = scalar::fits(kind, data_type, self.epoch);
                return Ok(fits.then_some(ValuePlan::Scalar(kind)));
            }
            FieldKind::Message(id) | FieldKind::Group(id) => id,
        };
        let message = self.descriptor.message(id);
        let is_text = data_type.is_string();
        Ok(match (message.well_known, data_type) {
            (Some(WellKnown::Timestamp), DataType::Timestamp(_, _)) => Some(ValuePlan::Timestamp),
            (Some(WellKnown::Timestamp), _) if is_text => Some(ValuePlan::Timestamp),
            (Some(WellKnown::Duration), DataType::Int64) => Some(ValuePlan::Duration),
            (Some(WellKnown::Duration), _) if is_text => Some(ValuePlan::Duration),
            (Some(WellKnown::Wrapper), _) if !matches!(data_type, DataType::Struct(_)) => {
                match message.fields.first().map(|field| field.kind) {
                    Some(FieldKind::Scalar(kind)) if scalar::fits(kind, data_type, self.epoch) => {
                        Some(ValuePlan::Wrapped(kind))
                    }
                    _ => None,
                }
            }
            (_, DataType::Struct(columns)) => {
                Some(ValuePlan::Struct(self.message(id, columns.iter(), path)?))
            }
            _ if is_text => Some(ValuePlan::Json(id)),
            _ => None,
        })
    }

    /// The columns of a map's entries, if `item` is a struct of them.
    fn entries(self, id: MessageId, item: &ArrowField, path: &str) -> Option<Result<MessagePlan>> {
        let DataType::Struct(columns) = item.data_type() else {
            return None;
        };
        let plan = self.message(id, columns.iter(), path);
        Some(plan.map(|mut plan| {
            // An absent part of an entry is the zero of its type.
            for field in &mut plan.fields {
                field.absent = AbsentPlan::Zero;
            }
            plan
        }))
    }

    fn unfit(self, field: &Field, data_type: &DataType, path: &str) -> Error {
        let expected = self.expected(field);
        let expected = match field.label {
            Label::Repeated => format!("an array of {expected}"),
            Label::Map => "VARCHAR for JSON text, or an array of structs with fields 'key' and \
                           'value'"
                .to_owned(),
            _ => expected.to_owned(),
        };
        let what = self.type_name(field);
        Error::invalid_option(format!(
            "column '{path}' has type {}, but Protobuf field '{}' is {what}: expected {expected}",
            type_name(data_type),
            field.name
        ))
    }

    fn type_name(self, field: &Field) -> String {
        let name = match field.kind {
            FieldKind::Scalar(ScalarKind::Enum(id)) => {
                let Enumeration { name, .. } = self.descriptor.enumeration(id);
                format!("enum {name}")
            }
            FieldKind::Scalar(kind) => format!("{kind:?}").to_ascii_lowercase(),
            FieldKind::Message(id) | FieldKind::Group(id) => {
                self.descriptor.message(id).name.clone()
            }
        };
        match field.label {
            Label::Map => "a map".to_owned(),
            Label::Repeated => format!("repeated {name}"),
            _ => name,
        }
    }

    /// The types of columns that can hold one value of `field`.
    fn expected(self, field: &Field) -> &'static str {
        let id = match field.kind {
            FieldKind::Scalar(ScalarKind::Bool) => return "BOOLEAN or VARCHAR",
            FieldKind::Scalar(ScalarKind::Double | ScalarKind::Float) => {
                return "a numeric type, such as DOUBLE, or VARCHAR";
            }
            FieldKind::Scalar(ScalarKind::Bytes) => return "BYTEA or VARCHAR",
            FieldKind::Scalar(ScalarKind::Enum(_)) => return "VARCHAR or an integer type",
            FieldKind::Scalar(ScalarKind::String) => {
                return "VARCHAR, BYTEA, or a decimal, date, time or timestamp";
            }
            FieldKind::Scalar(_) => {
                return "a numeric type, such as BIGINT, VARCHAR, or TIMESTAMP together with \
                        'kinesis.json.timestampFormat' = 'epoch_ms'";
            }
            FieldKind::Message(id) | FieldKind::Group(id) => id,
        };
        match self.descriptor.message(id).well_known {
            Some(WellKnown::Timestamp) => "TIMESTAMP, VARCHAR or STRUCT",
            Some(WellKnown::Duration) => "BIGINT for nanoseconds, VARCHAR or STRUCT",
            Some(WellKnown::Wrapper) => "the type of the wrapped value, or VARCHAR",
            _ => "STRUCT, or VARCHAR for JSON text",
        }
    }
}

fn no_field(message: &Message, path: &str) -> Error {
    const SHOWN: usize = 20;
    let names = message.fields.iter().map(|field| field.name.as_str());
    let names: Vec<&str> = names.take(SHOWN).collect();
    let more = if message.fields.len() > SHOWN {
        ", …"
    } else {
        ""
    };
    Error::invalid_option(format!(
        "column '{path}': Protobuf message '{}' has no such field; expected one of {}{more}",
        message.name,
        names.join(", ")
    ))
}
