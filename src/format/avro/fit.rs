//! Columns that no document of a schema can have a value for.

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::plan::taken;
use super::schema::{AvroField, AvroSchema, AvroType, Kind, Logical, TypeId};
use crate::error::{Error, Result};
use crate::format::columns::type_name;
use crate::options::TimestampFormat;

/// Checks that documents of `schema` can have a value for each of `columns`.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption) for the first column that can only be NULL.
pub(in crate::format) fn expect_fitting(
    schema: &AvroSchema,
    columns: &Fields,
    timestamps: TimestampFormat,
) -> Result<()> {
    let mut fit = Fit {
        schema,
        takes_epochs: timestamps != TimestampFormat::Rfc3339,
        unions: HashMap::new(),
    };
    match fit.document(columns) {
        None => Ok(()),
        Some(misfit) => Err(Error::invalid_option(format!(
            "option 'kinesis.avro.schema': {misfit}"
        ))),
    }
}

/// Compares the types of one schema with those of columns.
struct Fit<'a> {
    schema: &'a AvroSchema,
    /// Whether integers can be timestamps.
    takes_epochs: bool,
    /// What was found for each union, by its type and the address of the column's type. Without it, the work for
    /// records that contain unions of records would grow exponentially with their depth.
    unions: HashMap<(TypeId, usize), Option<String>>,
}

impl Fit<'_> {
    /// Why a column can only be NULL, if one can.
    fn document(&mut self, columns: &Fields) -> Option<String> {
        let root = self.schema.root();
        let branches = self.branches(root);
        let is_record = |id: &TypeId| matches!(self.schema.get(*id).kind, Kind::Record { .. });
        let records: Vec<TypeId> = branches.iter().copied().filter(is_record).collect();
        match (records.as_slice(), columns.as_ref()) {
            ([], [column]) => self.value(root, column.data_type(), column.name()),
            ([], _) => Some(
                "the schema is no record: expected one column, which takes the whole document"
                    .to_owned(),
            ),
            // A branch that is no record suits the only column.
            (_, [column])
                if branches.len() > records.len()
                    && self
                        .value(root, column.data_type(), column.name())
                        .is_none() =>
            {
                None
            }
            (records, _) => self.fields(records, columns, ""),
        }
    }

    /// The types that values other than null can have.
    fn branches(&self, id: TypeId) -> Vec<TypeId> {
        let branches = match &self.schema.get(id).kind {
            Kind::Union(branches) => branches.as_slice(),
            _ => &[id],
        };
        let is_value = |id: &&TypeId| self.schema.get(**id).kind != Kind::Null;
        branches.iter().filter(is_value).copied().collect()
    }

    /// Why one of `columns` can only be NULL in all of `records`. `path` leads to them.
    fn fields(&mut self, records: &[TypeId], columns: &Fields, path: &str) -> Option<String> {
        let mut reasons: Vec<Option<String>> = vec![None; columns.len()];
        let mut is_fitting = vec![false; columns.len()];
        for record in records {
            let fields = self.schema.fields(*record);
            for (index, taken) in taken(fields, columns).into_iter().enumerate() {
                let (Some(taken), false) = (taken, is_fitting[index]) else {
                    continue;
                };
                let column: &Field = &columns[index];
                let path = joined(path, column.name());
                let reason = self.value(fields[taken].data_type, column.data_type(), &path);
                is_fitting[index] = reason.is_none();
                reasons[index] = reasons[index].take().or(reason);
            }
        }
        let index = is_fitting.iter().position(|is_fitting| !is_fitting)?;
        reasons[index].take().or_else(|| {
            let fields = records
                .iter()
                .flat_map(|record| self.schema.fields(*record));
            let names: Vec<&str> = fields
                .map(|field: &AvroField| field.name.as_str())
                .collect();
            Some(format!(
                "column '{}': expected a field of the schema, which has there: {}",
                joined(path, columns[index].name()),
                names.join(", ")
            ))
        })
    }

    /// Why a column of this type can only be NULL for values of type `id`.
    fn value(&mut self, id: TypeId, column: &DataType, path: &str) -> Option<String> {
        let avro_type = self.schema.get(id);
        match (&avro_type.kind, column) {
            (Kind::Union(_), _) => {
                let key = (id, std::ptr::from_ref(column).addr());
                if let Some(known) = self.unions.get(&key) {
                    return known.clone();
                }
                let found = self.union(id, column, path);
                self.unions.insert(key, found.clone());
                found
            }
            (Kind::Record { .. }, DataType::Struct(columns)) => self.fields(&[id], columns, path),
            (Kind::Array(item), DataType::List(column)) => {
                self.value(*item, column.data_type(), path)
            }
            _ if self.takes(avro_type, column) => None,
            _ => Some(format!(
                "column '{path}' has type {}, but the field is of type {}: expected {}",
                type_name(column),
                avro_type.name(),
                expected(avro_type)
            )),
        }
    }

    fn union(&mut self, id: TypeId, column: &DataType, path: &str) -> Option<String> {
        let branches = self.branches(id);
        if let [branch] = branches.as_slice() {
            return self.value(*branch, column, path);
        }
        let mut fits = |branch: &TypeId| self.value(*branch, column, path).is_none();
        if branches.is_empty() || branches.iter().any(&mut fits) {
            return None;
        }
        let names = branches
            .iter()
            .map(|branch| self.schema.get(*branch).name());
        Some(format!(
            "column '{path}' has type {}, but the field is a union of {}: expected a type that takes one of them, such \
             as VARCHAR",
            type_name(column),
            names.collect::<Vec<_>>().join(", ")
        ))
    }

    /// Whether a column of type `column` takes values of a type that is no union.
    fn takes(&self, avro_type: &AvroType, column: &DataType) -> bool {
        let is_decimal = matches!(column, DataType::Decimal128(..) | DataType::Decimal256(..));
        let is_timestamp = matches!(column, DataType::Timestamp(_, _));
        // Strings take everything: what is nested as JSON, bytes if they are UTF-8.
        if column.is_string() || avro_type.kind == Kind::Null {
            return true;
        }
        match (&avro_type.kind, avro_type.logical) {
            (Kind::Boolean, _) => *column == DataType::Boolean,
            (Kind::Int | Kind::Long, Some(Logical::Date)) => {
                *column == DataType::Date32 || column.is_integer()
            }
            (Kind::Int | Kind::Long, Some(Logical::TimeOfDay(_))) => {
                matches!(column, DataType::Time64(_)) || column.is_integer()
            }
            (Kind::Long, Some(Logical::Timestamp { .. })) => is_timestamp || column.is_integer(),
            (Kind::Int | Kind::Long, _) => {
                column.is_numeric() || (is_timestamp && self.takes_epochs)
            }
            (Kind::Float | Kind::Double, _) => column.is_numeric(),
            (Kind::Bytes | Kind::Fixed { .. }, Some(Logical::Decimal { .. })) => {
                column.is_numeric() || column.is_binary()
            }
            (Kind::Bytes | Kind::Fixed { .. }, _) => column.is_binary(),
            (Kind::String, _) => column.is_binary() || is_decimal || column.is_temporal(),
            _ => false,
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// The types of columns that take values of a type.
fn expected(avro_type: &AvroType) -> &'static str {
    match (&avro_type.kind, avro_type.logical) {
        (Kind::Boolean, _) => "BOOLEAN or VARCHAR",
        (Kind::Int | Kind::Long, Some(Logical::Date)) => "DATE, an integer type or VARCHAR",
        (Kind::Int | Kind::Long, Some(Logical::TimeOfDay(_))) => "TIME, an integer type or VARCHAR",
        (Kind::Long, Some(Logical::Timestamp { .. })) => "TIMESTAMP, an integer type or VARCHAR",
        (Kind::Int | Kind::Long, _) => {
            "a numeric type, such as BIGINT, VARCHAR, or TIMESTAMP together with \
             'kinesis.json.timestampFormat' = 'epoch_ms'"
        }
        (Kind::Float | Kind::Double, _) => "a numeric type, such as DOUBLE, or VARCHAR",
        (Kind::Bytes | Kind::Fixed { .. }, Some(Logical::Decimal { .. })) => {
            "a numeric type, such as DECIMAL, VARCHAR, or BYTEA"
        }
        (Kind::Bytes | Kind::Fixed { .. }, _) => "BYTEA or VARCHAR",
        (Kind::String, _) => "VARCHAR, BYTEA, or a decimal, date, time or timestamp",
        (Kind::Record { .. }, _) => "STRUCT, or VARCHAR for JSON text",
        (Kind::Array(_), _) => "an array, or VARCHAR for JSON text",
        (Kind::Map(_), _) => "VARCHAR for JSON text",
        _ => "VARCHAR",
    }
}
