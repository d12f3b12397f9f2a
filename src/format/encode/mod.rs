//! Rows to payloads: each row becomes one document, which is compressed if the table's options say so.
//!
//! ```text
//!  columns ─▶ document of a row ─▶ compress ─▶ value of a binary column
//! ```
//!
//! A batch is encoded as a whole before any of it is written. So a row that cannot be encoded fails its statement
//! without writing a part of its batch.

mod compressor;
mod csv;
mod documents;
mod json;
mod numbers;
mod scalars;
mod times;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, LargeBinaryArray, new_empty_array};
use datafusion::arrow::datatypes::DataType;

use self::documents::EncodedDocuments;
use super::avro::AvroRows;
use super::documents::DocumentFailure;
#[cfg(feature = "protobuf")]
use super::protobuf::MessageEncoder;
use super::schema::PayloadSchema;
use crate::error::{Error, Result};
#[cfg(feature = "protobuf")]
use crate::options::ProtobufFraming;
use crate::options::{AvroFraming, Format, FormatOptions, Framing};

/// Refuses options with which the table could not read what it writes: a record is one document.
fn refuse_arrays(options: &FormatOptions) -> Result<()> {
    let explodes = matches!(&options.format, Format::Json(json) if json.explode.is_some());
    let option = match (explodes, options.framing) {
        (true, _) => "kinesis.json.explode",
        (false, Framing::Array) => "kinesis.format.framing' = 'array",
        _ => return Ok(()),
    };
    Err(Error::unsupported(format!(
        "a table with '{option}' can only be read, because a row is written as one document: write to a table of the \
         stream without this option"
    )))
}

/// Encodes rows of the declared columns of a table.
#[derive(Debug)]
pub(crate) struct Encoder {
    schema: Arc<PayloadSchema>,
    documents: EncodedDocuments,
}

/// Why a row has no document: a value that the format cannot represent.
#[derive(Debug)]
pub(super) enum EncodeError {
    /// A value that the format cannot represent.
    Value(DocumentFailure),
    /// A defect.
    Internal(Error),
}

impl From<Error> for EncodeError {
    fn from(error: Error) -> Self {
        Self::Internal(error)
    }
}

impl Encoder {
    /// An encoder for the declared columns of `schema`.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if the format can only be read, or has no form for the type of
    /// a column; [`InvalidOption`](crate::ErrorKind::InvalidOption) if the compression is chosen by reading.
    pub(crate) fn new(schema: &Arc<PayloadSchema>) -> Result<Self> {
        let options = schema.options();
        let format = options.format.name();
        refuse_arrays(options)?;
        match &options.format {
            Format::Json(json) => {
                if json.header.is_some() {
                    return Err(Error::unsupported(
                        "a table with 'kinesis.json.header' can only be read, because the id of the schema in a registry \
                         is not known: write to a table with 'none'",
                    ));
                }
            }
            Format::Text | Format::Csv(_) => refuse_nested(schema, format)?,
            Format::Avro(avro) => {
                let fields = schema.fields.iter();
                let empty: Vec<ArrayRef> = fields
                    .map(|field| new_empty_array(field.data_type()))
                    .collect();
                avro_rows(schema, &empty, avro.framing)?;
            }
            #[cfg(feature = "protobuf")]
            Format::Protobuf(protobuf) => {
                if protobuf.framing != ProtobufFraming::None {
                    return Err(Error::unsupported(
                        "a table with 'kinesis.protobuf.framing' = 'confluent' can only be read, because the id of the \
                         schema in a registry is not known: write to a table with 'none'",
                    ));
                }
                MessageEncoder::new(schema.protobuf()?, options, &schema.fields)?;
            }
            _ => {
                return Err(Error::unsupported(format!(
                    "a table with 'kinesis.format' = '{format}' can only be read: write to a table of the stream \
                     with another format, such as 'json'"
                )));
            }
        }
        Ok(Self {
            documents: EncodedDocuments::new(options.compression)?,
            schema: Arc::clone(schema),
        })
    }

    /// The document of each row of `columns`, which are the declared columns with their types and have `rows` rows.
    /// No value is NULL.
    ///
    /// # Errors
    /// [`InvalidRow`](crate::ErrorKind::InvalidRow) for the first row with a value that the format cannot represent.
    /// `describe` names a row, given its index. No documents are left in the encoder.
    pub(crate) fn encode(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        describe: impl Fn(usize) -> String,
    ) -> Result<LargeBinaryArray> {
        let written = self.write(columns, rows);
        let row = self.documents.len();
        let documents = self.documents.finish();
        match written {
            Ok(()) => documents,
            Err(EncodeError::Internal(error)) => Err(error),
            Err(EncodeError::Value(failure)) => {
                let format = self.schema.options.format.name();
                Err(Error::invalid_row(format!(
                    "{}: it cannot be encoded as {format}: {failure}",
                    describe(row)
                )))
            }
        }
    }

    /// Appends a document for each row, up to the first that has none.
    fn write(&mut self, columns: &[ArrayRef], rows: usize) -> std::result::Result<(), EncodeError> {
        let options = &self.schema.options;
        let (fields, documents) = (&self.schema.fields, &mut self.documents);
        match &options.format {
            Format::Json(json) => json::write(
                fields,
                columns,
                json.null_fields,
                options.timestamps,
                rows,
                documents,
            ),
            Format::Text => csv::write_text(fields, columns, options, rows, documents),
            Format::Csv(csv) => csv::write(fields, columns, csv, options, rows, documents),
            Format::Avro(avro) => {
                let avro = avro_rows(&self.schema, columns, avro.framing)?;
                for row in 0..rows {
                    documents.push_with(|out| avro.write(row, out).map_err(EncodeError::Value))?;
                }
                Ok(())
            }
            #[cfg(feature = "protobuf")]
            Format::Protobuf(_) => {
                let encoder = MessageEncoder::new(self.schema.protobuf()?, options, fields)?;
                (0..rows).try_for_each(|row| {
                    documents.push_with(|out| {
                        let encoded = encoder.encode(columns, row, out);
                        encoded.map_err(EncodeError::Value)
                    })
                })
            }
            other => Err(EncodeError::Internal(Error::internal(format!(
                "format '{}' has no encoder",
                other.name()
            )))),
        }
    }
}

/// The rows of `columns` as Avro documents.
fn avro_rows<'a>(
    schema: &'a PayloadSchema,
    columns: &'a [ArrayRef],
    framing: AvroFraming,
) -> Result<AvroRows<'a>> {
    let columns: Vec<&ArrayRef> = columns.iter().collect();
    let timestamps = schema.options.timestamps;
    AvroRows::new(
        schema.avro_schema()?,
        &schema.fields,
        &columns,
        framing,
        timestamps,
    )
}

/// Refuses columns of arrays and structs, which these formats cannot represent.
fn refuse_nested(schema: &PayloadSchema, format: &str) -> Result<()> {
    let is_nested = |data_type: &DataType| data_type.is_nested();
    match schema
        .fields
        .iter()
        .find(|field| is_nested(field.data_type()))
    {
        None => Ok(()),
        Some(field) => Err(Error::unsupported(format!(
            "column '{}' has type {}, which 'kinesis.format' = '{format}' cannot represent: use 'json'",
            field.name(),
            field.data_type()
        ))),
    }
}

#[cfg(test)]
mod tests;
