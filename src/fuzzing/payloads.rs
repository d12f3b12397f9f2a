//! Entry points of the fuzz targets for payload formats.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde_json::value::RawValue;

use crate::error::Result;
use crate::format::{Decoded, Decoder, PayloadSchema};
use crate::options::OptionsBuilder;

/// Fuzzes the reader of CSV payloads. The first byte chooses options, and the rest is a record. Which rows there
/// are, and each value, must not depend on the columns that are read.
pub fn csv(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    let pick = |bit: u8, text: &'static str| (choice & (1 << bit) != 0).then_some(text);
    let on_error = pick(0, "null").unwrap_or("skip");
    let framing = pick(1, "newline").unwrap_or("record");
    let mut options = vec![
        ("kinesis.format", "csv"),
        ("kinesis.format.onError", on_error),
        ("kinesis.format.framing", framing),
    ];
    let given = [
        ("kinesis.csv.delimiter", pick(2, ";")),
        ("kinesis.csv.quote", pick(3, "'")),
        ("kinesis.csv.escape", pick(4, "\\")),
        ("kinesis.csv.nullLiteral", pick(5, "")),
    ];
    options.extend(
        given
            .iter()
            .filter_map(|(name, value)| value.map(|value| (*name, value))),
    );
    let columns = [
        ("n", DataType::Int64),
        ("text", DataType::Utf8View),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("money", DataType::Decimal128(12, 3)),
        ("bytes", DataType::Binary),
    ];
    expect_same_rows(&payload(&options, &columns), record);
}

/// Fuzzes the reader of JSON payloads and of the formats that are written in JSON. The first byte chooses options,
/// and the rest is a record. Which rows there are, and each value, must not depend on the columns that are read. A
/// record that serde_json reads as an object must be a row.
pub fn json(bytes: &[u8]) {
    let Some((choice, record)) = bytes.split_first() else {
        return;
    };
    let on_error = ["skip", "null"][usize::from(choice & 1)];
    let mut options = vec![("kinesis.format.onError", on_error)];
    let framing = ["record", "newline", "concatenated", "array"][usize::from(choice >> 1 & 3)];
    match choice >> 3 & 3 {
        2 => options.push(("kinesis.format", "cloudwatch_logs")),
        3 => options.push(("kinesis.format", "dynamodb")),
        explodes => {
            options.push(("kinesis.format", "json"));
            options.push(("kinesis.format.framing", framing));
            if explodes == 1 {
                options.push(("kinesis.json.explode", "$.list"));
            }
            if choice & 32 != 0 {
                options.push(("kinesis.json.rescuedColumn", "rest"));
            }
            if choice & 64 != 0 {
                options.push(("kinesis.json.timestampFormat", "epoch_ms"));
            }
        }
    }
    let list = DataType::List(Field::new_list_field(DataType::Decimal128(12, 3), true).into());
    let structure = [("n", DataType::Int32), ("v", DataType::Utf8View)];
    let structure = structure.map(|(name, data_type)| Field::new(name, data_type, true));
    let columns = [
        ("v", DataType::Utf8View),
        ("n", DataType::Int64),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("list", list),
        ("object", DataType::Struct(structure.into_iter().collect())),
    ];
    let is_json = options.contains(&("kinesis.format", "json"));
    let payload = payload(&options, if is_json { &columns } else { &[] });
    expect_same_rows(&payload, record);
    let is_object = serde_json::from_slice::<BTreeMap<String, &RawValue>>(record).is_ok();
    if is_json && choice & 0b1_1111 == 0 && is_object && std::str::from_utf8(record).is_ok() {
        assert_eq!(decode(&payload, &[], record).records.len(), 1);
    }
}

/// The payload of a table with these options and columns, which must be valid.
pub(super) fn payload(
    options: &[(&str, &str)],
    columns: &[(&str, DataType)],
) -> Arc<PayloadSchema> {
    try_payload(options, columns).expect("columns that suit the format")
}

/// The payload of a table with these options, which must be valid, if they suit these columns.
pub(super) fn try_payload(
    options: &[(&str, &str)],
    columns: &[(&str, DataType)],
) -> Result<Arc<PayloadSchema>> {
    let mut builder = OptionsBuilder::default();
    builder.set_location("words").expect("a valid name");
    for (name, value) in options {
        builder.set(name, value).expect("a valid option");
    }
    let checked = builder.finish().expect("valid options");
    let format = checked.format.expect("a format is set");
    let fields = columns
        .iter()
        .map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    PayloadSchema::new(format, &fields.collect::<Fields>()).map(Arc::new)
}

/// Decodes `record` to all columns, to each column, and to none, also in batches of few rows.
pub(super) fn expect_same_rows(payload: &Arc<PayloadSchema>, record: &[u8]) {
    let indices: Vec<usize> = (0..payload.columns().len()).collect();
    let all = decode(payload, &indices, record);
    let none = decode(payload, &[], record);
    assert_eq!(none.records, all.records);
    assert_eq!(none.bad_documents, all.bad_documents);
    for index in &indices {
        let one = decode(payload, &[*index], record);
        assert_eq!(one.records, all.records);
        assert_eq!(&one.columns[0], &all.columns[*index]);
    }
    for batch_rows in [1, 3] {
        expect_same_batches(payload, &indices, record, batch_rows, &all);
    }
}

/// Decodes `record` in batches of `batch_rows` rows, which must be those of `whole`.
fn expect_same_batches(
    payload: &Arc<PayloadSchema>,
    projection: &[usize],
    record: &[u8],
    batch_rows: usize,
    whole: &Decoded,
) {
    let mut decoder = decoder(payload, projection);
    decoder.batch_rows = batch_rows;
    let records = BinaryArray::from_vec(vec![record]);
    let (mut rows, mut bad_documents, mut mismatches) = (0, 0, 0);
    loop {
        let decoded = decode_next(&mut decoder, &records);
        let len = decoded.records.len();
        assert!(len <= batch_rows);
        for (some, all) in decoded.columns.iter().zip(&whole.columns) {
            assert_eq!(some.as_ref(), all.slice(rows, len).as_ref());
        }
        rows += len;
        bad_documents += decoded.bad_documents;
        mismatches += decoded.mismatches;
        if decoded.next > 0 {
            break;
        }
    }
    assert_eq!(rows, whole.records.len());
    assert_eq!(bad_documents, whole.bad_documents);
    assert_eq!(mismatches, whole.mismatches);
}

fn decode(payload: &Arc<PayloadSchema>, projection: &[usize], record: &[u8]) -> Decoded {
    let mut decoder = decoder(payload, projection);
    decoder.batch_rows = usize::MAX;
    decode_next(&mut decoder, &BinaryArray::from_vec(vec![record]))
}

fn decoder(payload: &Arc<PayloadSchema>, projection: &[usize]) -> Decoder {
    Decoder::new(payload, projection).expect("columns that suit the format")
}

fn decode_next(decoder: &mut Decoder, records: &BinaryArray) -> Decoded {
    let decoded = decoder.decode(records, 0);
    decoded.expect("no document ends the statement")
}
