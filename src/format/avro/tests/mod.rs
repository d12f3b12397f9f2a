mod conversions;
mod framings;
mod malformed;
mod registered;
mod schemas;
pub(super) mod vectors;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::arrow::util::display::array_value_to_string;

use crate::error::ErrorKind;
use crate::format::{Decoded, Decoder, PayloadSchema};
use crate::options::{FormatOptions, OptionsBuilder};

/// A table with these options.
pub(super) fn options(schema: &str, more: &[(&str, &str)]) -> FormatOptions {
    let mut builder = OptionsBuilder::default();
    builder.set_location("words").unwrap();
    builder.set("kinesis.format", "avro").unwrap();
    builder.set("kinesis.avro.schema", schema).unwrap();
    for (name, value) in more {
        builder.set(name, value).unwrap();
    }
    builder.finish().unwrap().format.unwrap()
}

pub(super) fn fields(columns: &[(&str, DataType)]) -> Fields {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    columns.iter().map(field).collect()
}

fn payload(
    schema: &str,
    columns: &Fields,
    more: &[(&str, &str)],
) -> crate::Result<Arc<PayloadSchema>> {
    PayloadSchema::new(options(schema, more), columns).map(Arc::new)
}

/// Decodes records to all columns.
fn decode(
    schema: &str,
    columns: &Fields,
    more: &[(&str, &str)],
    records: &[&[u8]],
) -> crate::Result<Decoded> {
    let payload = payload(schema, columns, more)?;
    let all: Vec<usize> = (0..payload.columns().len()).collect();
    let records = BinaryArray::from_iter_values(records);
    Decoder::new(&payload, &all)?.decode(&records, 0)
}

/// The only value of a record, as text. The document's schema is a record with one field "v" of type `avro_type`.
fn value(avro_type: &str, column: DataType, record: &[u8]) -> String {
    let schema = in_record(avro_type);
    let decoded = decode(&schema, &fields(&[("v", column)]), &[], &[record]).unwrap();
    assert_eq!(decoded.records, [0]);
    shown(&decoded.columns[0], 0)
}

/// Why a table with column "v" of this type is refused for a record with one field "v" of type `avro_type`.
fn refusal(avro_type: &str, column: DataType) -> String {
    let refused = payload(&in_record(avro_type), &fields(&[("v", column)]), &[]);
    let error = refused.expect_err("no value can fit");
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    error.to_string()
}

pub(super) fn in_record(avro_type: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{{"name":"v","type":{avro_type}}}]}}"#)
}

fn shown(column: &ArrayRef, row: usize) -> String {
    match column.is_null(row) {
        true => "NULL".to_owned(),
        false => array_value_to_string(column, row).unwrap(),
    }
}

/// The reason why the statement fails.
fn failure(schema: &str, columns: &Fields, more: &[(&str, &str)], record: &[u8]) -> String {
    let error = decode(schema, columns, more, &[record]).expect_err("the record is bad");
    error.to_string()
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

fn time() -> DataType {
    DataType::Time64(TimeUnit::Nanosecond)
}

pub(super) fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}
