//! The content and the name of a state file.

use std::collections::HashMap;
use std::fmt;
use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::DATAFUSION_VERSION;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::CompressionType;
use datafusion::arrow::ipc::reader::FileReader;
use datafusion::arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use md5::{Digest, Md5};

use super::hash_vectors::{HashVectors, hash_vectors};
use crate::model::BatchId;
use crate::state::memory::StateColumns;

/// The version of an aggregation's state that is written, and the newest that is read: which columns its files have, and
/// what they mean.
pub(crate) const AGGREGATION_SCHEMA_VERSION: u32 = 1;

const VERSION_KEY: &str = "datafusion-kinesis.state";
/// The meaning of the columns, as JSON.
const GROUPS_KEY: &str = "datafusion-kinesis.groups";
const ENGINE_KEY: &str = "datafusion";
/// The hash test vectors of the engine, as JSON.
const HASHES_KEY: &str = "datafusion-kinesis.hashes";

/// `12-<md5>.delta` or `12-<md5>.snapshot`: the changes of batch 12, or a part of the state after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    pub(crate) batch: BatchId,
    pub(crate) md5: String,
    pub(crate) is_snapshot: bool,
}

impl FileName {
    /// The name of `content`.
    pub(super) fn of(batch: BatchId, is_snapshot: bool, content: &[u8]) -> Self {
        Self {
            batch,
            md5: md5_of(content),
            is_snapshot,
        }
    }

    /// Parses the text form; `None` for anything else.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (batch, rest) = name.split_once('-')?;
        let (md5, kind) = rest.split_once('.')?;
        let is_snapshot = match kind {
            "snapshot" => true,
            "delta" => false,
            _ => return None,
        };
        let found = Self {
            batch: BatchId(batch.parse().ok()?),
            md5: md5.to_owned(),
            is_snapshot,
        };
        (found.to_string() == name).then_some(found)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_snapshot {
            "snapshot"
        } else {
            "delta"
        };
        write!(f, "{}-{}.{kind}", self.batch, self.md5)
    }
}

fn md5_of(content: &[u8]) -> String {
    let digest = Md5::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Encodes rows with `schema`, whose columns mean `groups`.
pub(super) fn encode(
    schema: &SchemaRef,
    groups: &StateColumns,
    rows: &[RecordBatch],
) -> Result<Bytes, ArrowError> {
    let hashes = hash_vectors(schema.fields().iter().take(groups.groups));
    let hashes = hashes.map_err(|error| ArrowError::ExternalError(error.into()))?;
    let hashes = serde_json::to_string(&hashes);
    let hashes = hashes.map_err(|error| ArrowError::ExternalError(error.into()))?;
    let described = serde_json::to_string(groups);
    let described = described.map_err(|error| ArrowError::ExternalError(error.into()))?;
    let metadata = HashMap::from([
        (HASHES_KEY.to_owned(), hashes),
        (GROUPS_KEY.to_owned(), described),
        (
            VERSION_KEY.to_owned(),
            AGGREGATION_SCHEMA_VERSION.to_string(),
        ),
        (ENGINE_KEY.to_owned(), DATAFUSION_VERSION.to_owned()),
    ]);
    let schema = Arc::new(Schema::clone(schema).with_metadata(metadata));
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &schema, options)?;
    let fields = schema.flattened_fields();
    let mut dictionaries = fields
        .iter()
        .filter(|field| matches!(field.data_type(), DataType::Dictionary(..)));
    match dictionaries.next() {
        // A file can have only one dictionary for each column.
        Some(_) => writer.write(&concat_batches(&schema, rows)?)?,
        None => rows.iter().try_for_each(|rows| writer.write(rows))?,
    }
    Ok(Bytes::from(writer.into_inner()?))
}

/// The content of a file.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The schema.
    pub(crate) schema: SchemaRef,
    /// The meaning of the columns.
    pub(in crate::state) groups: StateColumns,
    pub(crate) rows: Vec<RecordBatch>,
    /// The version of DataFusion that wrote it.
    pub(crate) engine: String,
    /// How that version hashes; `None` in files of versions that did not record it.
    pub(super) hashes: Option<HashVectors>,
}

impl Decoded {
    /// The rows with `schema`, which has the same types: names and nullability may differ.
    pub(crate) fn rows_of(self, schema: &SchemaRef) -> Result<Vec<RecordBatch>, Unreadable> {
        let own = |rows| with_columns(rows, schema);
        let rows = self.rows.into_iter().map(own);
        rows.collect::<Result<_, _>>()
            .map_err(|error| unreadable(&error))
    }
}

/// Why a file cannot be read; its text follows the name of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn unreadable(error: &ArrowError) -> Unreadable {
    Unreadable(format!("cannot be read: {error}"))
}

/// `rows` with `schema`, also without columns.
fn with_columns(rows: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let (_, columns, count) = rows.into_parts();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// Reads the file called `name`.
pub(crate) fn decode(name: &str, content: Bytes) -> Result<Decoded, Unreadable> {
    let known = FileName::parse(name).filter(|known| known.md5 == md5_of(&content));
    if known.is_none() {
        let reason = "is damaged: its MD5 does not match its name";
        return Err(Unreadable(reason.to_owned()));
    }
    let reader = FileReader::try_new(Cursor::new(content), None);
    let reader = reader.map_err(|error| unreadable(&error))?;
    let schema = reader.schema();
    let value = |key: &str| schema.metadata().get(key).cloned().unwrap_or_default();
    if value(VERSION_KEY) != AGGREGATION_SCHEMA_VERSION.to_string() {
        let version = value(VERSION_KEY);
        return Err(Unreadable(format!(
            "was written by another version of this program (state version '{version}', this one \
             reads '{AGGREGATION_SCHEMA_VERSION}'); run the query with that version"
        )));
    }
    let groups = serde_json::from_str(&value(GROUPS_KEY)).ok();
    let groups = groups.filter(|groups: &StateColumns| groups.fits(&schema));
    let Some(groups) = groups else {
        let reason = "does not describe its columns";
        return Err(Unreadable(reason.to_owned()));
    };
    let engine = value(ENGINE_KEY);
    let hashes = serde_json::from_str(&value(HASHES_KEY)).ok();
    let plain = Arc::new(Schema::clone(&schema).with_metadata(HashMap::new()));
    let rows = reader.map(|rows| with_columns(rows?, &plain));
    let rows = rows.collect::<Result<_, _>>();
    Ok(Decoded {
        rows: rows.map_err(|error| unreadable(&error))?,
        schema: plain,
        groups,
        engine,
        hashes,
    })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Int64Array;
    use datafusion::arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn rows_are_read_with_the_schema_of_the_plan() {
        let field = |nullable| Field::new("count", DataType::Int64, nullable);
        let written = Arc::new(Schema::new(vec![field(true)]));
        let counts = Arc::new(Int64Array::from(vec![1, 2]));
        let rows = RecordBatch::try_new(Arc::clone(&written), vec![counts]).unwrap();
        let groups = StateColumns::default();
        let content = encode(&written, &groups, std::slice::from_ref(&rows)).unwrap();
        let name = FileName::of(BatchId(7), false, &content).to_string();
        let read = |expected: &SchemaRef| {
            let decoded = decode(&name, content.clone()).unwrap();
            decoded.rows_of(expected).unwrap()
        };
        assert_eq!(read(&written), [rows]);
        let narrower = Arc::new(Schema::new(vec![field(false)]));
        assert_eq!(read(&narrower)[0].schema(), narrower);
    }

    #[test]
    fn only_canonical_names_are_parsed() {
        let name = FileName::of(BatchId(12), true, b"content");
        assert_eq!(FileName::parse(&name.to_string()), Some(name.clone()));
        let md5 = name.md5;
        for other in [
            format!("012-{md5}.snapshot"),
            format!("12-{md5}.other"),
            format!(".12-{md5}.delta.1-0.tmp"),
            "12.delta".to_owned(),
        ] {
            assert_eq!(FileName::parse(&other), None, "{other}");
        }
    }
}
