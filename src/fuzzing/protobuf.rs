//! Entry point of the fuzz target for Protobuf payloads.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::tables::expect_same_rows;
use crate::format::PayloadSchema;
use crate::options::{DescriptorSource, Format, OptionsBuilder};

const DESCRIPTORS: &[u8] = include_bytes!("../../tests/data/protobuf/everything.desc");

/// Fuzzes the reader of Protobuf payloads. The first byte chooses options, and the rest is a record. Which rows there
/// are, and each value, must not depend on the columns that are read.
pub fn protobuf(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    let on_error = ["skip", "null"][usize::from(choice & 1)];
    let framing = ["none", "confluent"][usize::from(choice >> 1 & 1)];
    expect_same_rows(&payload(on_error, framing), record);
}

fn payload(on_error: &str, framing: &str) -> Arc<PayloadSchema> {
    let mut builder = OptionsBuilder::default();
    builder.set_location("words").expect("a valid name");
    for (name, value) in [
        ("kinesis.format", "protobuf"),
        ("kinesis.format.onError", on_error),
        ("kinesis.protobuf.framing", framing),
        ("kinesis.protobuf.descriptorFile", "everything.desc"),
        ("kinesis.protobuf.message", "test.Everything"),
    ] {
        builder.set(name, value).expect("a valid option");
    }
    let checked = builder.finish().expect("valid options");
    let mut format = checked.format.expect("a format is set");
    if let Format::Protobuf(protobuf) = &mut format.format {
        protobuf.descriptors = DescriptorSource::Bytes(DESCRIPTORS.to_vec());
    }
    let payload = PayloadSchema::new(format, &columns());
    Arc::new(payload.expect("columns that suit the message"))
}

/// Columns of every shape.
fn columns() -> Fields {
    let list = |item: DataType| DataType::new_list(item, true);
    let structs = |fields: &[(&str, DataType)]| {
        let fields = fields.iter();
        let fields = fields.map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
        DataType::Struct(fields.collect())
    };
    let text = || DataType::Utf8View;
    let deeper = structs(&[("name", text()), ("lat", DataType::Float64)]);
    let inner = structs(&[
        ("name", text()),
        ("list", list(DataType::Int8)),
        ("deeper", deeper),
    ]);
    let entry = structs(&[("key", text()), ("value", DataType::Int64)]);
    let columns = [
        ("double_value", DataType::Float64),
        ("int64_value", DataType::Int64),
        ("uint64_value", DataType::Decimal128(20, 0)),
        ("sint32_value", DataType::Int16),
        ("string_value", text()),
        ("bytes_value", DataType::Binary),
        ("color", text()),
        ("maybe_int", DataType::Int64),
        ("unpacked", list(DataType::Int64)),
        ("colors", list(text())),
        ("inners", list(inner.clone())),
        ("inner", inner),
        ("counts", list(entry)),
        ("by_number", text()),
        ("choice_text", text()),
        ("choice_inner", text()),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("took", DataType::Int64),
        ("wrapped_int", DataType::Int64),
        ("any_json", text()),
        ("last", DataType::Int64),
    ];
    let fields = columns.into_iter();
    fields
        .map(|(name, data_type)| Field::new(name, data_type, true))
        .collect()
}
