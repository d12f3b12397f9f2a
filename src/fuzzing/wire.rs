//! Fuzzes the decoders of answers from servers.

use crate::kinesis::{BufferPool, PutEntry, RecordColumns, RecordsPage, WireBody};
use crate::model::StreamIdentity;
use serde_json::Value;

const FORMATS: [WireBody; 2] = [WireBody::Json, WireBody::Cbor];

/// Fuzzes the decoders of answers to GetRecords and PutRecords in JSON and CBOR. Which columns are built must not
/// change which records there are, and decoded records must survive being written in both formats.
pub fn wire(bytes: &[u8]) {
    let pool = BufferPool::default();
    for format in FORMATS {
        let _ = format.put_outcomes(bytes);
        let all = format.records_page(bytes, RecordColumns::ALL, &pool);
        let data = format.records_page(bytes, RecordColumns::DATA_ONLY, &pool);
        let (page, data) = match (all, data) {
            (Ok(all), Ok(data)) => (all, data),
            (Err(_), Err(_)) => continue,
            (all, data) => panic!("{format:?}: {all:?} and {data:?}"),
        };
        assert_eq!(page.len(), data.len());
        assert_eq!(page.size_bytes(), data.size_bytes());
        assert_eq!(page.last_sequence(), data.last_sequence());
        assert_eq!(page.data(), data.data());
        expect_written(&page);
    }
}

fn expect_written(page: &RecordsPage) {
    let keys = page.partition_key().expect("all columns are built");
    let entries: Vec<PutEntry> = (0..page.len())
        .map(|record| PutEntry {
            data: page.data().value(record).to_vec().into(),
            partition_key: keys.value(record).into(),
            explicit_hash_key: None,
        })
        .collect();
    let stream = StreamIdentity::parse("words").expect("a valid name");
    let json = WireBody::Json.put_records(&stream, &entries);
    let json: Value = serde_json::from_slice(&json).expect("a request is valid JSON");
    let records = json["Records"].as_array().expect("a request has records");
    assert_eq!(records.len(), entries.len());
    for (record, entry) in records.iter().zip(&entries) {
        let data = record["Data"].as_str().expect("data is text");
        let data = base64_simd::STANDARD.decode_to_vec(data);
        assert_eq!(data.expect("data is base64"), entry.data);
        assert_eq!(record["PartitionKey"], *entry.partition_key);
    }
    let cbor = WireBody::Cbor.put_records(&stream, &entries);
    let holds =
        |part: &[u8]| part.is_empty() || cbor.windows(part.len()).any(|window| window == part);
    for entry in &entries {
        assert!(holds(&entry.data) && holds(entry.partition_key.as_bytes()));
    }
}
