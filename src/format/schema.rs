//! What the payload of a table looks like: its columns and its format.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};

use super::avro::{self, AvroSchema};
use super::columns::{Column, type_name};
use super::presets;
#[cfg(feature = "protobuf")]
use super::protobuf::{self, Descriptor};
use crate::error::{Error, Result};
use crate::options::{
    AvroFraming, AvroOptions, AvroSchemaSource, Format, FormatOptions, TimestampFormat,
};

/// The columns and the format of a table's payload.
///
/// The columns are those of the CREATE statement, or those that the format determines; then the column of
/// rescued fields and that of errors, if the options name them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PayloadSchema {
    pub(super) options: FormatOptions,
    /// The columns that have a value in each document.
    pub(super) fields: Fields,
    /// The schema of Avro documents, if all have the same.
    pub(super) avro: Option<Arc<AvroSchema>>,
    /// The descriptors of Protobuf messages.
    #[cfg(feature = "protobuf")]
    protobuf: Option<Arc<Descriptor>>,
}

/// What a column of a payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadColumn {
    /// The field of a document with this index.
    Field(usize),
    /// The fields that no column has.
    Rescued,
    /// Why the document or a value of it could not be decoded.
    Error,
}

impl PayloadSchema {
    /// The payload of a table with these declared columns.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the format needs declared columns and there are none,
    /// or has its own and there are some; [`Unsupported`](crate::ErrorKind::Unsupported) for a type that a payload
    /// cannot have.
    pub(crate) fn new(options: FormatOptions, declared: &Fields) -> Result<Self> {
        let format = options.format.name();
        if options.format.has_fixed_columns() != declared.is_empty() {
            return Err(Error::invalid_option(match declared.is_empty() {
                true => format!(
                    "option 'kinesis.format' = '{format}': expected a column list, such as CREATE EXTERNAL TABLE \
                     t (id BIGINT, name VARCHAR)"
                ),
                false => format!(
                    "option 'kinesis.format' = '{format}': expected no column list, because the format determines \
                     the columns"
                ),
            }));
        }
        let fields = presets::columns(&options.format).unwrap_or_else(|| declared.clone());
        for field in &fields {
            Column::new(field.data_type())
                .map_err(|error| error.in_context(format!("column '{}'", field.name())))?;
            refuse_not_null(field)?;
        }
        if let Format::Csv(_) = options.format {
            refuse_nested(&fields)?;
        }
        if options.format == Format::Text && fields.len() != 1 {
            return Err(Error::invalid_option(format!(
                "option 'kinesis.format' = 'text': expected one column for the text, found {}",
                fields.len()
            )));
        }
        let avro = match &options.format {
            Format::Avro(avro) => avro_schema(avro, &fields, options.timestamps)?,
            _ => None,
        };
        #[cfg(not(feature = "protobuf"))]
        if let Format::Protobuf(_) = options.format {
            return Err(Error::unsupported(
                "option 'kinesis.format' = 'protobuf': this program was built without cargo feature 'protobuf' of \
                 datafusion-kinesis; expected another format",
            ));
        }
        let schema = Self {
            #[cfg(feature = "protobuf")]
            protobuf: protobuf::descriptor(&options, &fields)?,
            options,
            fields,
            avro,
        };
        let columns = schema.columns();
        for (index, column) in columns.iter().enumerate() {
            if columns[..index]
                .iter()
                .any(|other| other.name() == column.name())
            {
                return Err(Error::invalid_option(format!(
                    "duplicate column '{}': expected different names of columns, also in \
                     'kinesis.format.errorColumn' and 'kinesis.json.rescuedColumn'",
                    column.name()
                )));
            }
        }
        Ok(schema)
    }

    /// The options of the format.
    pub(crate) fn options(&self) -> &FormatOptions {
        &self.options
    }

    /// The schema to write Avro documents with.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if the schemas of documents are in a registry.
    pub(super) fn avro_schema(&self) -> Result<&Arc<AvroSchema>> {
        let schema = self.avro.as_ref();
        schema.ok_or_else(|| {
            Error::unsupported(
                "a table with 'kinesis.schemaRegistry.type' can only be read: write to a table with \
                 'kinesis.avro.framing' = 'none' or 'single_object'",
            )
        })
    }

    /// The descriptors of Protobuf messages.
    ///
    /// # Errors
    /// The format is another one, which is a defect.
    #[cfg(feature = "protobuf")]
    pub(super) fn protobuf(&self) -> Result<&Arc<Descriptor>> {
        let descriptor = self.protobuf.as_ref();
        descriptor.ok_or_else(|| Error::internal("a table of another format has no descriptors"))
    }

    /// The columns that have a value in each document; the first of [`columns`](Self::columns).
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Refuses to read documents that may have been written with another schema than the derived one.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the options have no schema and the documents no
    /// fingerprint.
    pub(super) fn expect_avro_schema(&self, options: &AvroOptions) -> Result<()> {
        if options.schema.is_some() || options.framing == AvroFraming::SingleObject {
            return Ok(());
        }
        Err(Error::invalid_option(format!(
            "reading 'kinesis.format' = 'avro': expected option 'kinesis.avro.schema', the schema that documents were \
             written with, or 'kinesis.schemaRegistry.type', the registry that has it; INSERT into this table writes with {}",
            AvroSchema::json_of(&self.fields)?
        )))
    }

    /// All columns, in order.
    pub(crate) fn columns(&self) -> Fields {
        let text = |name: &String| Arc::new(Field::new(name, DataType::Utf8View, true));
        let additional: Vec<FieldRef> = self
            .rescued_column()
            .into_iter()
            .chain(&self.options.error_column)
            .map(text)
            .collect();
        self.fields.iter().cloned().chain(additional).collect()
    }

    /// What the column with this index holds.
    pub(super) fn column(&self, index: usize) -> PayloadColumn {
        match index.checked_sub(self.fields.len()) {
            None => PayloadColumn::Field(index),
            Some(0) if self.rescued_column().is_some() => PayloadColumn::Rescued,
            Some(_) => PayloadColumn::Error,
        }
    }

    fn rescued_column(&self) -> Option<&String> {
        match &self.options.format {
            Format::Json(json) => json.rescued_column.as_ref(),
            _ => None,
        }
    }

    /// Whether each record gives exactly one row, so that a limit on rows is one on records.
    pub(crate) fn is_one_row_per_record(&self) -> bool {
        use crate::options::{Framing, OnError};
        let explodes = match &self.options.format {
            Format::Json(json) => json.explode.is_some(),
            Format::CloudWatchLogs => true,
            _ => false,
        };
        let keeps_bad = matches!(self.options.on_error, OnError::Fail | OnError::Null);
        !explodes && keeps_bad && self.options.framing == Framing::Record
    }
}

/// The schema of Avro documents with these columns; `None` if each document names its own.
fn avro_schema(
    options: &AvroOptions,
    columns: &Fields,
    timestamps: TimestampFormat,
) -> Result<Option<Arc<AvroSchema>>> {
    let text = match &options.schema {
        Some(AvroSchemaSource::Text(text)) => text,
        Some(AvroSchemaSource::File(_)) => {
            return Err(Error::internal("the file of the Avro schema was not read"));
        }
        Some(AvroSchemaSource::Registry(_)) => return Ok(None),
        None => {
            let schema = AvroSchema::parse(&AvroSchema::json_of(columns)?)?;
            return Ok(Some(Arc::new(schema)));
        }
    };
    let schema = AvroSchema::parse(text)
        .map_err(|error| error.in_context("option 'kinesis.avro.schema'"))?;
    avro::expect_fitting(&schema, columns, timestamps)?;
    Ok(Some(Arc::new(schema)))
}

/// Refuses columns that a line of values cannot have.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported) for an array or a struct.
fn refuse_nested(fields: &Fields) -> Result<()> {
    let nested = fields.iter().find(|field| field.data_type().is_nested());
    match nested {
        None => Ok(()),
        Some(field) => Err(Error::unsupported(format!(
            "column '{}' has type {}: 'kinesis.format' = 'csv' has no nested values; expected a scalar type, such as \
             VARCHAR for the text of the value",
            field.name(),
            type_name(field.data_type())
        ))),
    }
}

/// Any document can lack any field.
fn refuse_not_null(field: &Field) -> Result<()> {
    match field.is_nullable() {
        true => Ok(()),
        false => Err(Error::unsupported(format!(
            "column '{}' is NOT NULL: a document can lack any field; remove NOT NULL, or filter with WHERE \"{}\" IS \
             NOT NULL",
            field.name(),
            field.name()
        ))),
    }
}
