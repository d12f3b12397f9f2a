//! From the rows of an Arrow batch to user records, all of them checked before the first is given.

use datafusion::arrow::array::{ArrayRef, RecordBatch};

use super::columns::{Payload, Text, shortened};
use crate::aggregation::UserRecord;
use crate::error::{Error, Result};
use crate::kinesis::limits::MAX_PARTITION_KEY_CHARS;
use crate::model::HashKey;

const PARTITION_KEY: &str = "partitionKey";
const DATA: &str = "data";
const EXPLICIT_HASH_KEY: &str = "explicitHashKey";

/// The rows of one batch as user records.
#[derive(Debug)]
pub(super) struct Rows {
    partition_keys: Text,
    data: Payload,
    explicit_hash_keys: Option<Vec<Option<HashKey>>>,
    len: usize,
}

impl Rows {
    /// Reads columns `partitionKey` and `data` (string or binary) and, where it is there,
    /// `explicitHashKey`; other columns are left alone. Names match exactly, or else ignoring case.
    ///
    /// # Errors
    /// [`InvalidRow`](crate::ErrorKind::InvalidRow) for the first row that cannot be a record of a
    /// stream whose records take `max_record_bytes`.
    pub(super) fn new(batch: &RecordBatch, max_record_bytes: usize) -> Result<Self> {
        let mut rows = Self {
            partition_keys: Text::new(PARTITION_KEY, required(batch, PARTITION_KEY)?)?,
            data: Payload::new(DATA, required(batch, DATA)?)?,
            explicit_hash_keys: None,
            len: batch.num_rows(),
        };
        for row in 0..rows.len {
            rows.check_key(row)?;
            rows.check_data(row, max_record_bytes)?;
        }
        if let Some(array) = column(batch, EXPLICIT_HASH_KEY) {
            let texts = Text::new(EXPLICIT_HASH_KEY, array)?;
            let keys = (0..rows.len).map(|row| rows.explicit_hash_key(&texts, row));
            rows.explicit_hash_keys = Some(keys.collect::<Result<_>>()?);
        }
        Ok(rows)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = UserRecord<'_>> {
        (0..self.len).map(|row| UserRecord {
            partition_key: self.partition_keys.value(row),
            explicit_hash_key: self.explicit_hash_keys.as_ref().and_then(|keys| keys[row]),
            data: self.data.value(row),
        })
    }

    fn check_key(&self, row: usize) -> Result<()> {
        let expected = "expected a string of 1 to 256 characters";
        if self.partition_keys.is_null(row) {
            return Err(self.wrong(row, &format!("{PARTITION_KEY} is NULL: {expected}")));
        }
        let key = self.partition_keys.value(row);
        if key.is_empty() {
            return Err(self.wrong(row, &format!("{PARTITION_KEY} is empty: {expected}")));
        }
        // A string has no more characters than bytes.
        if key.len() > MAX_PARTITION_KEY_CHARS {
            let chars = key.chars().count();
            if chars > MAX_PARTITION_KEY_CHARS {
                let what = format!("{PARTITION_KEY} has {chars} characters: {expected}");
                return Err(self.wrong(row, &what));
            }
        }
        Ok(())
    }

    fn check_data(&self, row: usize, max_record_bytes: usize) -> Result<()> {
        if self.data.is_null(row) {
            return Err(self.wrong(row, "data is NULL: expected a string or binary"));
        }
        let data_bytes = self.data.value(row).len();
        let key_bytes = self.partition_keys.value(row).len();
        if data_bytes + key_bytes > max_record_bytes {
            return Err(self.wrong(
                row,
                &format!(
                    "data of {data_bytes} bytes and {PARTITION_KEY} of {key_bytes} bytes: \
                     expected at most {max_record_bytes} bytes together, the stream's largest record"
                ),
            ));
        }
        Ok(())
    }

    /// NULL and the empty string leave the shard to the partition key.
    fn explicit_hash_key(&self, texts: &Text, row: usize) -> Result<Option<HashKey>> {
        if texts.is_null(row) || texts.value(row).is_empty() {
            return Ok(None);
        }
        let text = texts.value(row);
        HashKey::from_decimal(text).map(Some).ok_or_else(|| {
            let what = format!(
                "{EXPLICIT_HASH_KEY} '{}': expected a decimal number from 0 to 2^128 - 1",
                shortened(text)
            );
            self.wrong(row, &what)
        })
    }

    /// Names the row by its key, where it has one, and its number, counted from 1.
    fn wrong(&self, row: usize, what: &str) -> Error {
        let key = if self.partition_keys.is_null(row) {
            String::new()
        } else {
            let key = shortened(self.partition_keys.value(row));
            format!(" ({PARTITION_KEY} '{key}')")
        };
        let (number, len) = (row + 1, self.len);
        Error::invalid_row(format!("row {number} of {len} in its batch{key}: {what}"))
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    batch.column_by_name(name).or_else(|| {
        let schema = batch.schema_ref();
        let fields = schema.fields().iter();
        let index = fields
            .enumerate()
            .find_map(|(index, field)| field.name().eq_ignore_ascii_case(name).then_some(index))?;
        Some(batch.column(index))
    })
}

fn required<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    column(batch, name).ok_or_else(|| {
        let fields = batch.schema_ref().fields().iter();
        let names: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
        Error::invalid_row(format!(
            "no column '{name}' among [{}]: expected partitionKey, data and, if wanted, explicitHashKey",
            names.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
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

    /// The message for a batch with one sound row and one of these values.
    fn refused(key: Option<&str>, data: Option<&str>, hash_key: Option<&str>) -> String {
        let error = Rows::new(
            &batch(vec![
                (PARTITION_KEY, strings(&[Some("sound"), key])),
                (DATA, strings(&[Some("sound"), data])),
                (EXPLICIT_HASH_KEY, strings(&[None, hash_key])),
            ]),
            100,
        )
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRow);
        error.to_string()
    }

    #[test]
    fn any_flavour_of_string_and_binary_gives_the_same_records() {
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
    fn fixed_size_binary_is_data_and_empty_data_is_data() {
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
    fn a_batch_without_rows_is_sound() {
        let empty = batch(vec![(PARTITION_KEY, strings(&[])), (DATA, strings(&[]))]);
        assert_eq!(Rows::new(&empty, 100).unwrap().iter().count(), 0);
    }

    #[test]
    fn a_slice_of_a_batch_gives_its_own_rows() {
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
    fn the_first_wrong_row_is_named_with_its_value_and_what_was_expected() {
        assert_eq!(
            refused(None, Some("x"), None),
            "row 2 of 2 in its batch: partitionKey is NULL: expected a string of 1 to 256 characters"
        );
        assert!(refused(Some(""), Some("x"), None).contains("partitionKey is empty"));
        let long_key = "é".repeat(257);
        let message = refused(Some(&long_key), Some("x"), None);
        assert!(
            message.contains("257 characters") && message.len() < 250,
            "{message}"
        );
        assert_eq!(
            refused(Some("k"), None, None),
            "row 2 of 2 in its batch (partitionKey 'k'): data is NULL: expected a string or binary"
        );
        assert_eq!(
            refused(Some("k"), Some(&"x".repeat(100)), None),
            "row 2 of 2 in its batch (partitionKey 'k'): data of 100 bytes and partitionKey of 1 bytes: \
             expected at most 100 bytes together, the stream's largest record"
        );
        for wrong in ["-1", "x", "340282366920938463463374607431768211456"] {
            let message = refused(Some("k"), Some("x"), Some(wrong));
            assert!(
                message.contains(wrong) && message.contains("2^128 - 1"),
                "{message}"
            );
        }
    }

    #[test]
    fn keys_may_have_256_characters_of_any_width_and_hash_keys_may_be_empty() {
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
    fn a_binary_key_that_is_no_string_is_refused() {
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
    fn a_missing_column_and_a_wrong_type_are_named() {
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
    fn columns_are_found_ignoring_case() {
        let values = strings(&[Some("k")]);
        let batch = batch(vec![
            ("partitionkey", Arc::clone(&values)),
            ("DATA", values),
        ]);
        assert_eq!(Rows::new(&batch, 100).unwrap().iter().count(), 1);
    }
}
