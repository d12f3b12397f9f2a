//! Converts the rows of an Arrow batch to user records, after checking all of them.

mod columns;

use datafusion::arrow::array::{ArrayRef, RecordBatch};

pub(super) use columns::shortened;

use crate::aggregation::UserRecord;
use crate::error::{Error, Result};
use crate::kinesis::limits::MAX_PARTITION_KEY_CHARS;
use crate::model::HashKey;
use columns::{Payload, Text};

const PARTITION_KEY: &str = "partitionKey";
const DATA: &str = "data";
const EXPLICIT_HASH_KEY: &str = "explicitHashKey";

/// The checked rows of one batch.
#[derive(Debug)]
pub(super) struct Rows {
    partition_keys: Text,
    data: Payload,
    explicit_hash_keys: Option<Vec<Option<HashKey>>>,
    len: usize,
}

impl Rows {
    /// Reads the columns `partitionKey`, `data` (string or binary) and, if present,
    /// `explicitHashKey`; other columns are ignored. Names match exactly, or else ignoring case.
    ///
    /// # Errors
    /// [`InvalidRow`](crate::ErrorKind::InvalidRow) for the first row that cannot become a record
    /// of at most `max_record_bytes`.
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

    /// The hash key of each row, if no row may have an explicit one.
    pub(super) fn hash_keys(&self) -> Option<Vec<HashKey>> {
        let keys = (0..self.len).map(|row| self.partition_keys.value(row));
        let computed = self.explicit_hash_keys.is_none();
        computed.then(|| HashKey::of_partition_keys(keys))
    }

    fn check_key(&self, row: usize) -> Result<()> {
        let expected = "expected a string of 1 to 256 characters";
        if self.partition_keys.is_null(row) {
            return Err(self.invalid(row, &format!("{PARTITION_KEY} is NULL: {expected}")));
        }
        let key = self.partition_keys.value(row);
        if key.is_empty() {
            return Err(self.invalid(row, &format!("{PARTITION_KEY} is empty: {expected}")));
        }
        // A string has at most as many characters as bytes.
        if key.len() > MAX_PARTITION_KEY_CHARS {
            let chars = key.chars().count();
            if chars > MAX_PARTITION_KEY_CHARS {
                let what = format!("{PARTITION_KEY} has {chars} characters: {expected}");
                return Err(self.invalid(row, &what));
            }
        }
        Ok(())
    }

    fn check_data(&self, row: usize, max_record_bytes: usize) -> Result<()> {
        if self.data.is_null(row) {
            return Err(self.invalid(row, "data is NULL: expected a string or binary"));
        }
        let data_bytes = self.data.value(row).len();
        let key_bytes = self.partition_keys.value(row).len();
        if data_bytes + key_bytes > max_record_bytes {
            return Err(self.invalid(
                row,
                &format!(
                    "data of {data_bytes} bytes and {PARTITION_KEY} of {key_bytes} bytes: \
                     expected at most {max_record_bytes} bytes together, the stream's largest record"
                ),
            ));
        }
        Ok(())
    }

    /// NULL and the empty string mean no explicit hash key.
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
            self.invalid(row, &what)
        })
    }

    /// Identifies the row by its number, counted from 1, and its partition key, if any.
    fn invalid(&self, row: usize, what: &str) -> Error {
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
            "no column '{name}' among [{}]: expected partitionKey, data and, optionally, explicitHashKey",
            names.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests;
