//! Prints binary columns as text where they are valid text, and as hexadecimal digits otherwise.

use std::fmt::{self, Write};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, LargeStringArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;

/// The schema of [`with_text_columns`] batches. All columns are nullable, so that printing does not
/// fail on a plan that wrongly declares a column as not null.
pub(super) fn text_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let field = Field::clone(field).with_nullable(true);
        match is_binary(field.data_type()) {
            true => field.with_data_type(DataType::LargeUtf8),
            false => field,
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Converts the binary columns of a batch to text; `schema` is its [`text_schema`].
pub(super) fn with_text_columns(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| match is_binary(column.data_type()) {
            true => text_column(column),
            false => Ok(Arc::clone(column)),
        });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}

fn text_column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let bytes = cast(column, &DataType::LargeBinary)?;
    let texts: LargeStringArray = bytes
        .as_binary::<i64>()
        .iter()
        .map(|value| value.map(text))
        .collect();
    Ok(Arc::new(texts))
}

fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    write_bytes(bytes, &mut text).expect("a String takes all that is written to it");
    text
}

/// Writes bytes as text or as hexadecimal digits. Control characters rule out text, because a
/// protocol buffer of small numbers is also valid UTF-8.
pub(super) fn write_bytes(bytes: &[u8], out: &mut impl Write) -> fmt::Result {
    let unreadable = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if let Ok(text) = str::from_utf8(bytes)
        && !text.contains(unreadable)
    {
        return out.write_str(text);
    }
    out.write_str("0x")?;
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{BinaryArray, BinaryViewArray, Int64Array};

    #[test]
    fn utf_8_is_printed_as_text_and_other_bytes_as_hex() {
        for (bytes, expected) in [
            (&b"hello"[..], "hello"),
            (b"", ""),
            (
                "Gr\u{fc}\u{df}e \u{1f600}\n\tx\r\n".as_bytes(),
                "Grüße 😀\n\tx\r\n",
            ),
            (b"\xff\x00\x10", "0xff0010"),
            (b"\x08\x96\x01", "0x089601"),
            (b"\x08\x01", "0x0801"),
            (b"\x1b[2Jgone", "0x1b5b324a676f6e65"),
        ] {
            assert_eq!(text(bytes), expected);
        }
    }

    #[test]
    fn only_binary_columns_are_converted_and_nulls_are_kept() {
        let data: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"a"), None]));
        let view: ArrayRef = Arc::new(BinaryViewArray::from_iter_values([b"b", b"\xff"]));
        let n: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("data", data), ("view", view), ("n", n)]).unwrap();
        let schema = text_schema(&batch.schema());
        let printed = with_text_columns(&batch, &schema).unwrap();
        let column = |i: usize| -> Vec<Option<&str>> {
            printed.column(i).as_string::<i64>().iter().collect()
        };
        assert_eq!(column(0), [Some("a"), None]);
        assert_eq!(column(1), [Some("b"), Some("0xff")]);
        assert_eq!(printed.column(2).data_type(), &DataType::Int64);
    }
}
