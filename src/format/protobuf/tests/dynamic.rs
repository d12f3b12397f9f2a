//! Columns beside the messages that prost-reflect reads from the same bytes.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use datafusion::arrow::datatypes::{
    DataType, Field, Fields, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampNanosecondType, UInt64Type,
};
use prost_reflect::prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    ReflectMessage, Value,
};

use super::vectors;
use crate::format::testing::TestTable;

const MESSAGE: &str = "test.Everything";

fn descriptor() -> MessageDescriptor {
    let set = std::fs::read(vectors().join("everything.desc")).unwrap();
    let pool = DescriptorPool::decode(&*set).unwrap();
    pool.get_message_by_name(MESSAGE).unwrap()
}

/// The type of a column for one value. Messages more than two levels down are JSON text.
fn value_type(kind: &Kind, depth: usize) -> DataType {
    match kind {
        Kind::Double => DataType::Float64,
        Kind::Float => DataType::Float32,
        Kind::Uint64 | Kind::Fixed64 => DataType::UInt64,
        Kind::Bool => DataType::Boolean,
        Kind::String | Kind::Enum(_) => DataType::Utf8View,
        Kind::Bytes => DataType::Binary,
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => DataType::Timestamp(TimeUnit::Nanosecond, None),
            "google.protobuf.Duration" | "google.protobuf.Int64Value" => DataType::Int64,
            "google.protobuf.BoolValue" => DataType::Boolean,
            name if depth > 2 || name.starts_with("google.") => DataType::Utf8View,
            _ => DataType::Struct(columns(message, depth + 1)),
        },
        _ => DataType::Int64,
    }
}

fn columns(message: &MessageDescriptor, depth: usize) -> Fields {
    let fields = message.fields().map(|field| {
        let value = value_type(&field.kind(), depth);
        let data_type = match field.is_list() || field.is_map() {
            true => DataType::new_list(value, true),
            false => value,
        };
        Field::new(field.name(), data_type, true)
    });
    fields.collect()
}

/// Asserts that `row` of `columns` is `message`.
fn assert_message(columns: &[ArrayRef], fields: &Fields, row: usize, message: &DynamicMessage) {
    assert_eq!(columns.len(), fields.len());
    for (column, field) in columns.iter().zip(fields) {
        let field = message
            .descriptor()
            .get_field_by_name(field.name())
            .unwrap();
        let value = message.get_field(&field);
        match &*value {
            Value::List(items) => {
                let list = column.as_list::<i32>().value(row);
                assert_eq!(list.len(), items.len(), "{}", field.name());
                for (index, item) in items.iter().enumerate() {
                    assert_value(&list, index, &field.kind(), item);
                }
            }
            Value::Map(entries) => assert_map(&column.as_list::<i32>().value(row), &field, entries),
            _ if field.supports_presence() && !message.has_field(&field) => {
                assert!(column.is_null(row), "{}", field.name());
            }
            value => assert_value(column, row, &field.kind(), value),
        }
    }
}

fn assert_map(list: &ArrayRef, field: &FieldDescriptor, entries: &HashMap<MapKey, Value>) {
    let structs = list.as_struct();
    assert_eq!(structs.len(), entries.len(), "{}", field.name());
    for row in 0..structs.len() {
        let keys = structs.column(0);
        let key = match keys.data_type() {
            DataType::Utf8View => MapKey::String(keys.as_string_view().value(row).to_owned()),
            DataType::Boolean => MapKey::Bool(keys.as_boolean().value(row)),
            _ => MapKey::I32(keys.as_primitive::<Int64Type>().value(row) as i32),
        };
        let Kind::Message(entry) = field.kind() else {
            panic!("a map has entries");
        };
        let kind = entry.map_entry_value_field().kind();
        assert_value(structs.column(1), row, &kind, &entries[&key]);
    }
}

fn integer(value: &Value) -> Option<i64> {
    Some(match value {
        Value::I32(value) => (*value).into(),
        Value::I64(value) => *value,
        Value::U32(value) => (*value).into(),
        _ => return None,
    })
}

fn assert_value(column: &ArrayRef, row: usize, kind: &Kind, value: &Value) {
    let int = || column.as_primitive::<Int64Type>().value(row);
    match value {
        Value::Message(message) => return assert_inner(column, row, message),
        Value::Bool(value) => assert_eq!(column.as_boolean().value(row), *value),
        Value::F64(value) => {
            let read = column.as_primitive::<Float64Type>().value(row);
            assert_eq!(read.to_bits(), value.to_bits());
        }
        Value::F32(value) => {
            let read = column.as_primitive::<Float32Type>().value(row);
            assert!(read == *value || (read.is_nan() && value.is_nan()));
        }
        Value::U64(value) => assert_eq!(column.as_primitive::<UInt64Type>().value(row), *value),
        Value::String(value) => assert_eq!(column.as_string_view().value(row), value),
        Value::Bytes(value) => assert_eq!(column.as_binary::<i32>().value(row), value),
        Value::EnumNumber(number) => {
            let Kind::Enum(found) = kind else {
                panic!("an enum");
            };
            let name = found.get_value(*number);
            let name = name.map_or_else(|| number.to_string(), |name| name.name().to_owned());
            assert_eq!(column.as_string_view().value(row), name);
        }
        value => assert_eq!(int(), integer(value).unwrap()),
    }
    assert!(!column.is_null(row));
}

fn assert_inner(column: &ArrayRef, row: usize, message: &DynamicMessage) {
    let field = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
    let name = message.descriptor().full_name().to_owned();
    match name.as_str() {
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => {
            let (seconds, nanos) = (field("seconds").as_i64().unwrap(), field("nanos").as_i32());
            let nanos = i128::from(nanos.unwrap());
            let is_timestamp = name.ends_with("Timestamp");
            let is_valid = match is_timestamp {
                true => (0..1_000_000_000).contains(&nanos),
                false => {
                    nanos.abs() < 1_000_000_000
                        && seconds.unsigned_abs() <= 315_576_000_000
                        && (seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0))
                }
            };
            let total = i64::try_from(i128::from(seconds) * 1_000_000_000 + nanos).ok();
            let expected = total.filter(|_| is_valid);
            let read = match is_timestamp {
                true => column.as_primitive::<TimestampNanosecondType>().value(row),
                false => column.as_primitive::<Int64Type>().value(row),
            };
            assert_eq!((!column.is_null(row)).then_some(read), expected);
        }
        "google.protobuf.Int64Value"
        | "google.protobuf.StringValue"
        | "google.protobuf.BoolValue" => {
            let value = message.descriptor().get_field(1).unwrap();
            assert_value(column, row, &value.kind(), &field("value"));
        }
        _ => match column.data_type() {
            DataType::Struct(fields) => {
                assert!(!column.is_null(row));
                let structs = column.as_struct();
                assert_message(structs.columns(), fields, row, message);
            }
            _ => {
                let text = column.as_string_view().value(row);
                serde_json::from_str::<serde_json::Value>(text).unwrap();
            }
        },
    }
}

/// A random value that is often an edge of its type.
fn random_value(random: &mut fastrand::Rng, kind: &Kind, depth: usize) -> Value {
    let bits = *random
        .choice([0, 1, u64::MAX, 1 << 63, 1 << 31, 127, 128].iter())
        .unwrap()
        ^ if random.bool() {
            random.u64(..) >> random.u32(..64)
        } else {
            0
        };
    match kind {
        Kind::Double => Value::F64(f64::from_bits(bits)),
        Kind::Float => Value::F32(f32::from_bits(bits as u32)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
        Kind::Bool => Value::Bool(random.bool()),
        Kind::String => {
            let chars = ["a", "ü", "\0", "😀", "\"", "long text"];
            let texts = (0..random.usize(..4)).map(|_| *random.choice(chars.iter()).unwrap());
            Value::String(texts.collect())
        }
        Kind::Bytes => {
            let bytes: Vec<u8> = (0..random.usize(..5)).map(|_| random.u8(..)).collect();
            Value::Bytes(bytes.into())
        }
        Kind::Enum(_) => Value::EnumNumber(*random.choice([0, 1, -7, 5].iter()).unwrap()),
        Kind::Message(message) => Value::Message(random_message(random, message, depth + 1)),
    }
}

fn random_message(
    random: &mut fastrand::Rng,
    descriptor: &MessageDescriptor,
    depth: usize,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        if random.usize(..(2 + 3 * depth)) != 0 {
            continue;
        }
        let value = if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            let entries = (0..random.usize(..4)).map(|_| {
                let key = random_value(random, &entry.map_entry_key_field().kind(), depth);
                let value = random_value(random, &entry.map_entry_value_field().kind(), depth);
                (key.into_map_key().unwrap(), value)
            });
            Value::Map(entries.collect())
        } else if field.is_list() {
            let items = (0..random.usize(..4)).map(|_| random_value(random, &field.kind(), depth));
            Value::List(items.collect())
        } else {
            random_value(random, &field.kind(), depth)
        };
        message.set_field(&field, value);
    }
    message
}

/// A table with a column for each field.
struct Everything {
    descriptor: MessageDescriptor,
    fields: Fields,
    table: TestTable,
}

impl Everything {
    fn new() -> Self {
        Self::with_fields(columns(&descriptor(), 0))
    }

    fn with_fields(fields: Fields) -> Self {
        let file = vectors().join("everything.desc");
        let options = [
            ("format", "protobuf"),
            ("format.onError", "skip"),
            ("protobuf.descriptorFile", file.to_str().unwrap()),
            ("protobuf.message", MESSAGE),
        ];
        Self {
            table: TestTable::with_fields(&fields, &options).unwrap(),
            descriptor: descriptor(),
            fields,
        }
    }

    /// The columns with the indices `projection`; `None` if the record is bad.
    fn read(&self, record: &[u8], projection: &[usize]) -> Option<Vec<ArrayRef>> {
        let mut decoder = self.table.decoder(projection);
        let records = BinaryArray::from_vec(vec![record]);
        let decoded = decoder.decode(&records, 0).unwrap();
        (decoded.records.len() == 1).then_some(decoded.columns)
    }

    fn all(&self) -> Vec<usize> {
        (0..self.fields.len()).collect()
    }

    /// Asserts that the columns of `record` are what prost-reflect reads.
    fn assert_same(&self, record: &[u8]) {
        let message = DynamicMessage::decode(self.descriptor.clone(), record).unwrap();
        let columns = self.read(record, &self.all()).expect("a valid message");
        assert_message(&columns, &self.fields, 0, &message);
    }
}

#[test]
fn columns_are_the_fields_that_prost_reflect_reads() {
    let everything = Everything::new();
    let mut random = fastrand::Rng::with_seed(15);
    everything.assert_same(&[]);
    for _ in 0..300 {
        let one = random_message(&mut random, &everything.descriptor, 0).encode_to_vec();
        everything.assert_same(&one);
        // Two messages one after the other are one, merged.
        let other = random_message(&mut random, &everything.descriptor, 0).encode_to_vec();
        everything.assert_same(&[one, other].concat());
    }
}

#[test]
fn damaged_messages_are_bad_or_read_like_prost_reflect_does() {
    let everything = Everything::new();
    let mut random = fastrand::Rng::with_seed(16);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..300 {
        let mut bytes = random_message(&mut random, &everything.descriptor, 0).encode_to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..=bytes.len());
            match random.usize(..3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.u8(..)),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << random.u32(..8);
                    }
                }
            }
        }
        let columns = everything.read(&bytes, &everything.all());
        let index = random.usize(..everything.fields.len());
        let one = everything.read(&bytes, &[index]);
        let none = everything.read(&bytes, &[]);
        // Which rows there are depends on the message only.
        assert_eq!(none.is_some(), columns.is_some());
        assert_eq!(
            one.map(|one| Arc::clone(&one[0])).as_ref(),
            columns.as_ref().map(|all| &all[index])
        );
        match columns {
            None => bad += 1,
            Some(_) => {
                good += 1;
                everything.assert_same(&bytes);
            }
        }
    }
    assert!(good > 20 && bad > 100, "{good} {bad}");
}

#[test]
fn random_bytes_are_rarely_messages() {
    let everything = Everything::new();
    let mut random = fastrand::Rng::with_seed(17);
    let mut accepted = 0;
    for _ in 0..10_000 {
        let bytes: Vec<u8> = (0..random.usize(8..40)).map(|_| random.u8(..)).collect();
        accepted += usize::from(everything.read(&bytes, &[]).is_some());
    }
    assert!(accepted < 100, "{accepted}");
}

#[test]
fn every_truncation_is_decoded_without_a_panic() {
    let everything = Everything::new();
    let mut random = fastrand::Rng::with_seed(18);
    let message = random_message(&mut random, &everything.descriptor, 0).encode_to_vec();
    for len in 0..message.len() {
        everything.read(&message[..len], &everything.all());
    }
}

/// Columns that can be written, of the same message.
const WRITABLE: &[&str] = &[
    "double_value",
    "float_value",
    "int32_value",
    "int64_value",
    "uint32_value",
    "uint64_value",
    "sint32_value",
    "sint64_value",
    "fixed32_value",
    "fixed64_value",
    "sfixed32_value",
    "sfixed64_value",
    "bool_value",
    "string_value",
    "bytes_value",
    "color",
    "maybe_int",
    "maybe_text",
    "numbers",
    "unpacked",
    "doubles",
    "fixed",
    "texts",
    "colors",
    "bools",
    "counts",
    "by_truth",
    "choice_number",
    "choice_text",
    "at",
    "took",
    "wrapped_int",
    "wrapped_text",
    "wrapped_bool",
    "times",
    "last",
];

#[test]
fn written_rows_are_the_messages_that_prost_reflect_reads() {
    let all = Everything::new();
    let fields = all.fields.iter().cloned();
    let fields = fields.filter(|field| WRITABLE.contains(&field.name().as_str()));
    let everything = Everything::with_fields(fields.collect());
    let mut writer = everything.table.encoder();
    let mut random = fastrand::Rng::with_seed(19);
    let mut written = 0;
    for _ in 0..300 {
        let message = random_message(&mut random, &everything.descriptor, 0).encode_to_vec();
        let columns = everything.read(&message, &everything.all()).expect("valid");
        // A list with an item that does not fit, such as a timestamp, cannot be written.
        let Ok(again) = writer.encode(&columns, 1, |_| String::new()) else {
            continue;
        };
        let again = again.value(0);
        written += 1;
        everything.assert_same(again);
        let read = everything.read(again, &everything.all());
        assert_eq!(read.as_ref(), Some(&columns));
    }
    assert!(written > 100, "{written}");
}
