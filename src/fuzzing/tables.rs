//! Tables of decoded payloads for the fuzz targets.

use std::sync::Arc;

use datafusion::arrow::array::{Array, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};

use crate::error::Result;
use crate::format::{Decoded, Decoder, PayloadSchema};
use crate::options::OptionsBuilder;

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

/// All rows of `record`.
pub(super) fn decode(payload: &Arc<PayloadSchema>, projection: &[usize], record: &[u8]) -> Decoded {
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
