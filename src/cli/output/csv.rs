//! CSV output that can be read back: NULL differs from an empty string, and nested values are JSON.

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

/// The header line.
pub(super) fn header(schema: &Schema) -> Vec<u8> {
    let mut line = Vec::new();
    for (i, field) in schema.fields().iter().enumerate() {
        separate(i, &mut line);
        write_text(field.name(), &mut line);
    }
    line.push(b'\n');
    line
}

/// The rows of a batch, each with its line break.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let schema = batch.schema();
    let json = EncoderOptions::default().with_explicit_nulls(true);
    let plain = FormatOptions::default().with_display_error(false);
    let columns = schema.fields().iter().zip(batch.columns());
    let mut columns = columns
        .map(|(field, values)| Values::of(field, values, &json, &plain))
        .collect::<Result<Vec<_>, _>>()?;
    let mut bytes = Vec::new();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for (i, column) in columns.iter_mut().enumerate() {
            separate(i, &mut bytes);
            column.write(row, &mut text, &mut bytes)?;
        }
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// How the values of a column are written.
enum Values<'a> {
    Plain(Option<NullBuffer>, ArrayFormatter<'a>),
    /// Lists, structs and maps, which CSV cannot represent.
    Nested(NullableEncoder<'a>),
}

impl<'a> Values<'a> {
    fn of(
        field: &'a FieldRef,
        values: &'a dyn Array,
        json: &'a EncoderOptions,
        plain: &FormatOptions<'a>,
    ) -> Result<Self, ArrowError> {
        Ok(match values.data_type().is_nested() {
            true => Self::Nested(make_encoder(field, values, json)?),
            false => {
                let formatter = ArrayFormatter::try_new(values, plain)?;
                Self::Plain(values.logical_nulls(), formatter)
            }
        })
    }

    /// Writes a value; NULL is an empty field.
    fn write(
        &mut self,
        row: usize,
        text: &mut String,
        bytes: &mut Vec<u8>,
    ) -> Result<(), ArrowError> {
        text.clear();
        match self {
            Self::Plain(Some(nulls), _) if nulls.is_null(row) => return Ok(()),
            Self::Plain(_, formatter) => formatter.value(row).write(text)?,
            Self::Nested(encoder) if encoder.is_null(row) => return Ok(()),
            Self::Nested(encoder) => {
                let mut json = Vec::new();
                encoder.encode(row, &mut json);
                text.push_str(&String::from_utf8_lossy(&json));
            }
        }
        write_text(text, bytes);
        Ok(())
    }
}

fn separate(column: usize, bytes: &mut Vec<u8>) {
    if column > 0 {
        bytes.push(b',');
    }
}

/// Quotes text that would otherwise be read differently, including empty text.
fn write_text(text: &str, bytes: &mut Vec<u8>) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return bytes.extend_from_slice(text.as_bytes());
    }
    bytes.push(b'"');
    for (i, part) in text.split('"').enumerate() {
        if i > 0 {
            bytes.extend_from_slice(b"\"\"");
        }
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.push(b'"');
}

#[cfg(test)]
mod tests;
