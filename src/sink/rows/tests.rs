//! Rows of every column type, valid and invalid.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, BinaryArray, FixedSizeBinaryArray, Int32Array, NullArray, StringArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use super::*;
use crate::error::ErrorKind;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// The error message for a batch of one valid row and one row with these values.
fn rejection_of(key: Option<&str>, data: Option<&str>, hash_key: Option<&str>) -> String {
    let error = Rows::new(
        &batch(vec![
            (PARTITION_KEY, strings(&[Some("valid"), key])),
            (DATA, strings(&[Some("valid"), data])),
            (EXPLICIT_HASH_KEY, strings(&[None, hash_key])),
        ]),
        100,
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    error.to_string()
}

#[test]
fn all_string_and_binary_types_give_the_same_records() {
    let plain = strings(&[Some("é1"), Some("é2")]);
    let dictionary = |value| DataType::Dictionary(Box::new(DataType::Int32), Box::new(value));
    for flavour in [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        dictionary(DataType::Utf8),
    ] {
        let array = cast(&plain, &flavour).unwrap();
        let batch = batch(vec![(DATA, Arc::clone(&array)), (PARTITION_KEY, array)]);
        let rows = Rows::new(&batch, 100).unwrap();
        let records: Vec<_> = rows.iter().collect();
        assert_eq!(records.len(), 2, "{flavour}");
        assert_eq!(records[1].partition_key, "é2", "{flavour}");
        assert_eq!(records[1].data, "é2".as_bytes(), "{flavour}");
    }
}

#[test]
fn fixed_size_binary_and_empty_data_are_accepted() {
    let fixed = FixedSizeBinaryArray::try_from_iter([[1, 2], [3, 4]].iter()).unwrap();
    let keys = strings(&[Some("a"), Some("b")]);
    let fixed = batch(vec![
        (PARTITION_KEY, Arc::clone(&keys)),
        (DATA, Arc::new(fixed)),
    ]);
    let rows = Rows::new(&fixed, 100).unwrap();
    assert_eq!(
        rows.iter().map(|r| r.data.to_vec()).collect::<Vec<_>>(),
        [[1, 2], [3, 4]]
    );

    let empty = batch(vec![
        (PARTITION_KEY, keys),
        (DATA, strings(&[Some(""), Some("")])),
    ]);
    assert_eq!(Rows::new(&empty, 100).unwrap().iter().count(), 2);
}

#[test]
fn an_empty_batch_is_valid() {
    let empty = batch(vec![(PARTITION_KEY, strings(&[])), (DATA, strings(&[]))]);
    assert_eq!(Rows::new(&empty, 100).unwrap().iter().count(), 0);
}

#[test]
fn a_sliced_batch_gives_only_its_rows() {
    let values = strings(&[Some("a"), Some("b"), Some("c")]);
    let hashes = strings(&[Some("1"), None, Some("3")]);
    let sliced = batch(vec![
        (PARTITION_KEY, Arc::clone(&values)),
        (DATA, values),
        (EXPLICIT_HASH_KEY, hashes),
    ])
    .slice(1, 2);
    let rows = Rows::new(&sliced, 100).unwrap();
    let records: Vec<_> = rows
        .iter()
        .map(|r| (r.partition_key, r.explicit_hash_key))
        .collect();
    assert_eq!(records, [("b", None), ("c", Some(HashKey(3)))]);
}

#[test]
fn the_error_names_the_first_invalid_row_its_value_and_the_expectation() {
    assert_eq!(
        rejection_of(None, Some("x"), None),
        "row 2 of 2 in its batch: partitionKey is NULL: expected a string of 1 to 256 characters"
    );
    assert!(rejection_of(Some(""), Some("x"), None).contains("partitionKey is empty"));
    let long_key = "é".repeat(257);
    let message = rejection_of(Some(&long_key), Some("x"), None);
    assert!(
        message.contains("257 characters") && message.len() < 250,
        "{message}"
    );
    assert_eq!(
        rejection_of(Some("k"), None, None),
        "row 2 of 2 in its batch (partitionKey 'k'): data is NULL: expected a string or binary"
    );
    assert_eq!(
        rejection_of(Some("k"), Some(&"x".repeat(100)), None),
        "row 2 of 2 in its batch (partitionKey 'k'): data of 100 bytes and partitionKey of 1 bytes: \
         expected at most 100 bytes together, the stream's largest record"
    );
    for wrong in ["-1", "x", "340282366920938463463374607431768211456"] {
        let message = rejection_of(Some("k"), Some("x"), Some(wrong));
        assert!(
            message.contains(wrong) && message.contains("2^128 - 1"),
            "{message}"
        );
    }
}

#[test]
fn keys_may_have_256_multibyte_characters_and_hash_keys_may_be_empty() {
    let columns = vec![
        (PARTITION_KEY, strings(&[Some(&"é".repeat(256))])),
        (DATA, strings(&[Some("x")])),
        (EXPLICIT_HASH_KEY, strings(&[Some("")])),
    ];
    let batch = batch(columns);
    let rows = Rows::new(&batch, 513).unwrap();
    assert_eq!(rows.iter().next().unwrap().explicit_hash_key, None);
}

#[test]
fn a_binary_key_that_is_not_utf8_is_rejected() {
    let keys: ArrayRef = Arc::new(BinaryArray::from(vec![&b"ok"[..], b"\xff\xfe"]));
    let batch = batch(vec![
        (PARTITION_KEY, keys),
        (DATA, strings(&[Some("x"), Some("y")])),
    ]);
    let message = Rows::new(&batch, 100).unwrap_err().to_string();
    assert!(
        message.starts_with("row 2: partitionKey") && message.contains("UTF-8"),
        "{message}"
    );
}

#[test]
fn the_error_names_a_missing_column_or_a_wrong_type() {
    let keys = strings(&[Some("k")]);
    let missing = Rows::new(&batch(vec![(PARTITION_KEY, Arc::clone(&keys))]), 100);
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("no column 'data' among [partitionKey]")
    );

    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let wrong = Rows::new(
        &batch(vec![(PARTITION_KEY, Arc::clone(&keys)), (DATA, numbers)]),
        100,
    );
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .contains("CAST(data AS VARCHAR)")
    );

    let nulls: ArrayRef = Arc::new(NullArray::new(1));
    assert!(nulls.is_nullable());
    let null = Rows::new(&batch(vec![(PARTITION_KEY, keys), (DATA, nulls)]), 100);
    assert!(null.unwrap_err().to_string().contains("data is NULL"));
}

#[test]
fn column_names_match_ignoring_case() {
    let values = strings(&[Some("k")]);
    let batch = batch(vec![
        ("partitionkey", Arc::clone(&values)),
        ("DATA", values),
    ]);
    assert_eq!(Rows::new(&batch, 100).unwrap().iter().count(), 1);
}
