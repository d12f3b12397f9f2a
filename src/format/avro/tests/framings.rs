//! The headers before documents.

use std::io::Write;

use datafusion::arrow::datatypes::DataType;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::super::schema::AvroSchema;
use super::{decode, failure, fields, in_record, shown};

fn read(framing: &str, record: &[u8]) -> Result<String, String> {
    let columns = fields(&[("v", DataType::Utf8View)]);
    let framing = [("kinesis.avro.framing", framing)];
    let decoded = decode(&in_record(r#""string""#), &columns, &framing, &[record]);
    match decoded {
        Ok(decoded) => Ok(shown(&decoded.columns[0], 0)),
        Err(error) => Err(error.to_string()),
    }
}

fn expect(framing: &str, record: &[u8], expected: &str) {
    let error = read(framing, record).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_single_object_has_the_fingerprint_of_the_schema() {
    let schema = AvroSchema::parse(&in_record(r#""string""#)).unwrap();
    let header = [&[0xc3, 1][..], &schema.fingerprint().to_le_bytes()].concat();
    let record = [&header[..], &[2, b'x']].concat();
    assert_eq!(read("single_object", &record).unwrap(), "x");
    let mut other = record.clone();
    other[3] ^= 1;
    expect(
        "single_object",
        &other,
        "was written with the schema of fingerprint",
    );
    expect(
        "single_object",
        &[2, b'x'],
        "starts with 02 78: expected C3 01 of",
    );
    expect("single_object", &[], "is empty: expected C3 01 of");
    expect(
        "single_object",
        &header[..6],
        "ends within its header: expected a fingerprint of 8 bytes (byte 6)",
    );
    // Positions count from the start of the record.
    expect(
        "single_object",
        &[&header[..], &[4, b'x']].concat(),
        "(byte 10)",
    );
}

#[test]
fn confluents_header_is_removed() {
    assert_eq!(read("confluent", &[0, 0, 0, 0, 7, 2, b'x']).unwrap(), "x");
    expect(
        "confluent",
        &[1, 0, 0, 0, 7, 2, b'x'],
        "starts with 01: expected 00 of Confluent's format",
    );
    expect(
        "confluent",
        &[0, 0, 0],
        "ends within its header: expected a schema id of 4 bytes",
    );
}

#[test]
fn glues_header_is_removed_and_zlib_decompressed() {
    let header = |compression: u8| [&[3, compression][..], &[7; 16]].concat();
    let zlib = |bytes: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        [header(5), encoder.finish().unwrap()].concat()
    };
    let plain = [header(0), vec![2, b'x']].concat();
    assert_eq!(read("glue", &plain).unwrap(), "x");
    assert_eq!(read("glue", &zlib(&[2, b'x'])).unwrap(), "x");
    expect(
        "glue",
        &[zlib(&[2, b'x']), vec![0]].concat(),
        "has 1 bytes after its zlib data",
    );
    expect("glue", &header(5), "is not valid zlib data");
    expect(
        "glue",
        &[header(1), vec![2, b'x']].concat(),
        "has compression 01: expected 00",
    );
    expect(
        "glue",
        &[3],
        "ends within its header: expected a compression of 1 bytes",
    );
    expect("glue", &[3, 0, 1], "expected a schema version of 16 bytes");
    let bomb = zlib(&vec![0; 1 << 20]);
    let columns = fields(&[("v", DataType::Utf8View)]);
    let options = [
        ("kinesis.avro.framing", "glue"),
        ("kinesis.format.maxDecompressedBytes", "1000"),
    ];
    let error = failure(&in_record(r#""string""#), &columns, &options, &bomb);
    assert!(error.contains("expands to more than 1000 bytes"), "{error}");
}
