//! Rows to Avro documents.

mod nested;
mod scalars;
#[cfg(test)]
mod tests;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::Fields;

use self::nested::{Record, Unencodable};
use super::schema::{AvroSchema, Kind};
use crate::error::{Error, Result};
use crate::format::documents::DocumentFailure;
use crate::options::{AvroFraming, TimestampFormat};

/// The rows of a batch, ready to be encoded.
#[derive(Debug)]
pub(in crate::format) struct AvroRows<'a> {
    /// What each document starts with.
    header: Vec<u8>,
    record: Record<'a>,
}

impl<'a> AvroRows<'a> {
    /// The rows of `columns`, whose names are those of `fields`, as records of `schema`.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the schema is no record, or a column does not suit its
    /// field; [`Unsupported`](crate::ErrorKind::Unsupported) for headers that name a schema in a registry.
    pub(in crate::format) fn new(
        schema: &'a AvroSchema,
        fields: &'a Fields,
        columns: &[&'a ArrayRef],
        framing: AvroFraming,
        timestamps: TimestampFormat,
    ) -> Result<Self> {
        let header = match framing {
            AvroFraming::None => Vec::new(),
            AvroFraming::SingleObject => {
                let magic = super::framing::SINGLE_OBJECT_MAGIC;
                [&magic[..], &schema.fingerprint().to_le_bytes()].concat()
            }
            AvroFraming::Confluent | AvroFraming::Glue => {
                return Err(Error::unsupported(
                    "a table with 'kinesis.avro.framing' = 'confluent' or 'glue' can only be read: expected 'none' \
                     or 'single_object'",
                ));
            }
        };
        let Kind::Record { fields: avro, .. } = &schema.get(schema.root()).kind else {
            return Err(Error::invalid_option(
                "option 'kinesis.avro.schema': expected a record, to which rows can be written",
            ));
        };
        let record = Record::new(schema, avro, fields, columns, timestamps).map_err(|error| {
            let failure = error.located();
            Error::invalid_option(format!("option 'kinesis.avro.schema': {failure}"))
        })?;
        Ok(Self { header, record })
    }

    /// Appends the document of a row.
    ///
    /// # Errors
    /// A value does not fit its field.
    pub(in crate::format) fn write(
        &self,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DocumentFailure> {
        out.extend_from_slice(&self.header);
        let written = self.record.write(row, out);
        written.map_err(|error: Box<Unencodable>| error.located())
    }
}
