//! Records, arrays and unions.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Fields};

use super::scalars::{Scalars, write_long};
use crate::format::avro::schema::{AvroField, AvroSchema, Kind, TypeId};
use crate::format::columns::type_name;
use crate::format::documents::DocumentFailure;
use crate::options::TimestampFormat;

/// A value that does not fit its field, or a column that never does.
#[derive(Debug)]
pub(super) struct Unencodable {
    /// The names of the fields around it, the innermost first.
    path: Vec<String>,
    reason: String,
}

pub(super) type Fallible<T> = Result<T, Box<Unencodable>>;

impl Unencodable {
    pub(super) fn new(reason: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            path: Vec::new(),
            reason: reason.into(),
        })
    }

    fn within(mut self: Box<Self>, name: &str) -> Box<Self> {
        self.path.push(name.to_owned());
        self
    }

    pub(super) fn located(self) -> DocumentFailure {
        let path: Vec<String> = self.path.into_iter().rev().collect();
        DocumentFailure {
            byte: None,
            field: (!path.is_empty()).then(|| path.join(".")),
            reason: self.reason,
        }
    }
}

/// The values of the fields of a record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    fields: Vec<(&'a str, Values<'a>)>,
}

/// The values of one field, or of the items of an array.
#[derive(Debug)]
struct Values<'a> {
    nulls: Option<NullBuffer>,
    /// The branch of a union that each value is.
    branch: Option<usize>,
    /// What NULL is.
    null: Null,
    kind: ValueKind<'a>,
}

/// How NULL is written.
#[derive(Debug, Clone, Copy)]
enum Null {
    /// There is none.
    Refused,
    /// As no bytes.
    Type,
    /// As this branch of a union.
    Branch(usize),
}

#[derive(Debug)]
enum ValueKind<'a> {
    /// All are NULL.
    Nulls,
    Scalars(Scalars<'a>),
    Array {
        offsets: &'a [i32],
        items: Box<Values<'a>>,
    },
    Record(Record<'a>),
}

impl<'a> Record<'a> {
    /// The values of `columns`, whose names are those of `names`, for the fields `avro` of a record.
    ///
    /// # Errors
    /// A column does not suit its field, a column has no field, or a field that cannot be null has no column.
    pub(super) fn new(
        schema: &'a AvroSchema,
        avro: &'a [AvroField],
        names: &'a Fields,
        columns: &[&'a ArrayRef],
        timestamps: TimestampFormat,
    ) -> Fallible<Self> {
        let columns_of_fields = columns_of_fields(avro, names);
        let unused = (0..names.len()).find(|column| !columns_of_fields.contains(&Some(*column)));
        if let Some(unused) = unused {
            let reason = "the column has no field in the Avro schema";
            return Err(Unencodable::new(reason).within(names[unused].name()));
        }
        let fields = avro.iter().zip(columns_of_fields).map(|(field, column)| {
            let column = column.map(|column| columns[column]);
            let values = Values::new(schema, field.data_type, column, timestamps);
            let values = values.map_err(|error| error.within(&field.name))?;
            Ok((field.name.as_str(), values))
        });
        Ok(Self {
            fields: fields.collect::<Fallible<_>>()?,
        })
    }

    /// Appends the record of a row.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Fallible<()> {
        for (name, values) in &self.fields {
            let written = values.write(row, out);
            written.map_err(|error| error.within(name))?;
        }
        Ok(())
    }
}

/// The column of each field: that with the same name, or else one that differs only in case and is that of no other
/// field.
fn columns_of_fields(avro: &[AvroField], names: &Fields) -> Vec<Option<usize>> {
    let is_exact = |column: &usize, field: &AvroField| *names[*column].name() == field.name;
    let exact = avro.iter().map(|field| {
        let mut columns = 0..names.len();
        columns.find(|column| is_exact(column, field))
    });
    let mut found: Vec<Option<usize>> = exact.collect();
    for (index, field) in avro.iter().enumerate() {
        if found[index].is_none() {
            let mut columns = 0..names.len();
            found[index] = columns.find(|column| {
                let name = names[*column].name();
                name.eq_ignore_ascii_case(&field.name) && !found.contains(&Some(*column))
            });
        }
    }
    found
}

impl<'a> Values<'a> {
    /// The values of `column` as values of type `id`; all NULL without a column.
    fn new(
        schema: &'a AvroSchema,
        id: TypeId,
        column: Option<&'a ArrayRef>,
        timestamps: TimestampFormat,
    ) -> Fallible<Self> {
        let own = [id];
        let (branches, is_union) = match &schema.get(id).kind {
            Kind::Union(branches) => (branches.as_slice(), true),
            _ => (&own[..], false),
        };
        let is_null = |branch: &TypeId| schema.get(*branch).kind == Kind::Null;
        let null = match branches.iter().position(is_null) {
            None => Null::Refused,
            Some(branch) if is_union => Null::Branch(branch),
            Some(_) => Null::Type,
        };
        let Some(column) = column else {
            return match null {
                Null::Refused => Err(Unencodable::new(
                    "the field has no column and cannot be null",
                )),
                null => Ok(Self {
                    nulls: None,
                    branch: None,
                    null,
                    kind: ValueKind::Nulls,
                }),
            };
        };
        let mut refused = None;
        for (index, branch) in branches.iter().enumerate() {
            if is_null(branch) {
                continue;
            }
            match ValueKind::new(schema, *branch, column, timestamps) {
                Ok(kind) => {
                    return Ok(Self {
                        nulls: column.logical_nulls(),
                        branch: is_union.then_some(index),
                        null,
                        kind,
                    });
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| misfit(column.data_type(), "null")))
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Fallible<()> {
        let is_null = matches!(self.kind, ValueKind::Nulls)
            || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        if is_null {
            return match self.null {
                Null::Refused => Err(Unencodable::new(
                    "the value is NULL, but the Avro schema has no null here",
                )),
                Null::Type => Ok(()),
                Null::Branch(branch) => {
                    write_long(branch as i64, out);
                    Ok(())
                }
            };
        }
        if let Some(branch) = self.branch {
            write_long(branch as i64, out);
        }
        match &self.kind {
            ValueKind::Nulls => Ok(()),
            ValueKind::Scalars(scalars) => scalars.write(row, out).map_err(Unencodable::new),
            ValueKind::Record(record) => record.write(row, out),
            ValueKind::Array { offsets, items } => {
                // Offsets ascend and are not negative.
                let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                if start < end {
                    write_long((end - start) as i64, out);
                    for item in start..end {
                        items.write(item, out)?;
                    }
                }
                write_long(0, out);
                Ok(())
            }
        }
    }
}

impl<'a> ValueKind<'a> {
    fn new(
        schema: &'a AvroSchema,
        id: TypeId,
        column: &'a ArrayRef,
        timestamps: TimestampFormat,
    ) -> Fallible<Self> {
        let avro_type = schema.get(id);
        Ok(match (&avro_type.kind, column.data_type()) {
            (Kind::Record { fields, .. }, DataType::Struct(names)) => {
                let columns: Vec<&ArrayRef> = column.as_struct().columns().iter().collect();
                Self::Record(Record::new(schema, fields, names, &columns, timestamps)?)
            }
            (Kind::Array(item), DataType::List(_)) => {
                let list = column.as_list::<i32>();
                let items = Values::new(schema, *item, Some(list.values()), timestamps)?;
                Self::Array {
                    offsets: list.value_offsets(),
                    items: Box::new(items),
                }
            }
            (_, data_type) => match Scalars::new(avro_type, column, timestamps) {
                Some(scalars) => Self::Scalars(scalars),
                None => return Err(misfit(data_type, avro_type.name())),
            },
        })
    }
}

fn misfit(data_type: &DataType, avro_type: &str) -> Box<Unencodable> {
    Unencodable::new(format!(
        "a column of type {} cannot be written to a field of type {avro_type}",
        type_name(data_type)
    ))
}
