//! Rows as JSON objects.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Fields};

use super::EncodeError;
use super::documents::EncodedDocuments;
use super::scalars::{Scalars, special_name};
use crate::error::Result;
use crate::format::documents::DocumentFailure;
use crate::options::{NullFields, TimestampFormat};

/// Adds one JSON object for each row of `columns`, whose names are those of `fields`.
///
/// # Errors
/// A value that JSON cannot represent.
pub(super) fn write(
    fields: &Fields,
    columns: &[ArrayRef],
    null_fields: NullFields,
    timestamps: TimestampFormat,
    rows: usize,
    documents: &mut EncodedDocuments,
) -> std::result::Result<(), EncodeError> {
    let object = Object::new(fields, columns, null_fields, timestamps)?;
    for row in 0..rows {
        documents.push_with(|out| {
            let written = object.write(row, out);
            written.map_err(|error| EncodeError::Value(error.located()))
        })?;
    }
    Ok(())
}

/// A value that JSON cannot represent.
#[derive(Debug)]
struct Unencodable {
    /// What leads to the value, the innermost first: names of fields, and indices such as `[2]`.
    path: Vec<String>,
    reason: String,
}

impl Unencodable {
    fn new(reason: String) -> Box<Self> {
        let path = Vec::new();
        Box::new(Self { path, reason })
    }

    fn within(mut self: Box<Self>, step: String) -> Box<Self> {
        self.path.push(step);
        self
    }

    fn located(self) -> DocumentFailure {
        let mut field = String::new();
        for step in self.path.iter().rev() {
            if !field.is_empty() && !step.starts_with('[') {
                field.push('.');
            }
            field.push_str(step);
        }
        DocumentFailure {
            byte: None,
            field: Some(field),
            reason: self.reason,
        }
    }
}

type Written = std::result::Result<(), Box<Unencodable>>;

/// The fields of an object.
#[derive(Debug)]
struct Object<'a> {
    fields: Vec<ObjectField<'a>>,
    null_fields: NullFields,
}

#[derive(Debug)]
struct ObjectField<'a> {
    name: &'a str,
    /// The name in quotes, and the colon.
    key: Vec<u8>,
    values: Values<'a>,
}

/// The values of a column at any nesting.
#[derive(Debug)]
struct Values<'a> {
    nulls: Option<&'a NullBuffer>,
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    /// Written as they are.
    Bare(Scalars<'a>),
    /// Numbers, of which some may not be finite.
    Float(Scalars<'a>),
    /// Written in quotes; nothing to escape.
    Quoted(Scalars<'a>),
    Text(Scalars<'a>),
    List(&'a [i32], Box<Values<'a>>),
    Object(Object<'a>),
}

impl<'a> Object<'a> {
    fn new(
        fields: &'a Fields,
        columns: &'a [ArrayRef],
        null_fields: NullFields,
        timestamps: TimestampFormat,
    ) -> Result<Self> {
        let fields = fields.iter().zip(columns).map(|(field, column)| {
            let mut key = Vec::new();
            push_text(field.name(), &mut key);
            key.push(b':');
            Ok(ObjectField {
                name: field.name(),
                key,
                values: Values::new(column, null_fields, timestamps)?,
            })
        });
        Ok(Self {
            fields: fields.collect::<Result<_>>()?,
            null_fields,
        })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        out.push(b'{');
        let mut is_first = true;
        for field in &self.fields {
            let is_null = field.values.is_null(row);
            if is_null && self.null_fields == NullFields::Omit {
                continue;
            }
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            out.extend_from_slice(&field.key);
            let written = field.values.write(row, out);
            written.map_err(|error| error.within(field.name.to_owned()))?;
        }
        out.push(b'}');
        Ok(())
    }
}

impl<'a> Values<'a> {
    fn new(
        array: &'a ArrayRef,
        null_fields: NullFields,
        timestamps: TimestampFormat,
    ) -> Result<Self> {
        let kind = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let items = Values::new(list.values(), null_fields, timestamps)?;
                Kind::List(list.value_offsets(), Box::new(items))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                Kind::Object(Object::new(fields, columns, null_fields, timestamps)?)
            }
            _ => {
                let scalars = Scalars::new(array, timestamps)?;
                match scalars {
                    Scalars::Float32(_) | Scalars::Float64(_) => Kind::Float(scalars),
                    Scalars::Utf8(_) | Scalars::LargeUtf8(_) | Scalars::Utf8View(_) => {
                        Kind::Text(scalars)
                    }
                    Scalars::Binary(_)
                    | Scalars::LargeBinary(_)
                    | Scalars::BinaryView(_)
                    | Scalars::Date(_)
                    | Scalars::TimeOfDay(..)
                    | Scalars::Instant(..) => Kind::Quoted(scalars),
                    _ => Kind::Bare(scalars),
                }
            }
        };
        Ok(Self {
            nulls: array.nulls(),
            kind,
        })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &self.kind {
            Kind::Bare(scalars) => scalars.write(row, out).map_err(Unencodable::new),
            Kind::Float(scalars) => match scalars.special_float(row) {
                None => scalars.write(row, out).map_err(Unencodable::new),
                Some(value) => Err(Unencodable::new(format!(
                    "{} is no JSON number: expected a finite number or NULL",
                    special_name(value)
                ))),
            },
            Kind::Quoted(scalars) => {
                out.push(b'"');
                scalars.write(row, out).map_err(Unencodable::new)?;
                out.push(b'"');
                Ok(())
            }
            Kind::Text(scalars) => {
                push_text(scalars.text(row).unwrap_or_default(), out);
                Ok(())
            }
            Kind::List(offsets, items) => {
                out.push(b'[');
                // Offsets are not negative.
                let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                for item in start..end {
                    if item > start {
                        out.push(b',');
                    }
                    let written = items.write(item, out);
                    written.map_err(|error| error.within(format!("[{}]", item - start)))?;
                }
                out.push(b']');
                Ok(())
            }
            Kind::Object(object) => object.write(row, out),
        }
    }
}

/// Appends a JSON string.
fn push_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing a string to a Vec cannot fail");
}
