//! Tables of decoded payloads for the tests of all formats.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::{Array, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::SessionContext;

use super::documents::BadDocument;
use super::encode::Encoder;
use super::{Decoder, PayloadSchema};
use crate::error::Result;
use crate::options::{DescriptorSource, Format, OptionsBuilder};

/// A table with a payload format.
#[derive(Debug)]
pub(super) struct TestTable {
    schema: Arc<PayloadSchema>,
}

/// Decoded rows, and what was counted.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The values of each row, separated by ` | `.
    pub(super) rows: Vec<String>,
    /// The record that each row comes from.
    pub(super) records: Vec<usize>,
    pub(super) bad: Vec<BadDocument>,
    pub(super) bad_documents: usize,
    pub(super) skipped_documents: usize,
    pub(super) mismatches: u64,
}

/// The columns of a column list, as `CREATE EXTERNAL TABLE` declares them.
pub(super) fn declared(columns: &str) -> Fields {
    if columns.is_empty() {
        return Fields::empty();
    }
    static DECLARED: Mutex<BTreeMap<String, Fields>> = Mutex::new(BTreeMap::new());
    let mut known = DECLARED.lock().unwrap();
    let fields = known
        .entry(columns.to_owned())
        .or_insert_with(|| planned(columns));
    fields.clone()
}

fn planned(columns: &str) -> Fields {
    let sql = format!("CREATE EXTERNAL TABLE t ({columns}) STORED AS x LOCATION 'y'");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let state = SessionContext::new().state();
    match runtime.block_on(state.create_logical_plan(&sql)).unwrap() {
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(table)) => {
            table.schema.as_arrow().fields().clone()
        }
        other => panic!("no CREATE EXTERNAL TABLE: {other}"),
    }
}

impl TestTable {
    /// A table with the column list `columns` and these options, without `kinesis.` before their names.
    pub(super) fn new(columns: &str, options: &[(&str, &str)]) -> Self {
        Self::try_new(columns, options).unwrap()
    }

    pub(super) fn try_new(columns: &str, options: &[(&str, &str)]) -> Result<Self> {
        Self::with_fields(&declared(columns), options)
    }

    pub(super) fn with_fields(fields: &Fields, options: &[(&str, &str)]) -> Result<Self> {
        let mut builder = OptionsBuilder::default();
        builder.set_location("events")?;
        for (name, value) in options {
            builder.set(&format!("kinesis.{name}"), value)?;
        }
        let mut format = builder.finish()?.format.expect("a format is set");
        // As the builder of tables does.
        if let Format::Protobuf(protobuf) = &mut format.format
            && let DescriptorSource::File(path) = &protobuf.descriptors
        {
            protobuf.descriptors = DescriptorSource::Bytes(fs::read(path).unwrap());
        }
        Ok(Self {
            schema: Arc::new(PayloadSchema::new(format, fields)?),
        })
    }

    /// The names and types of all columns.
    pub(super) fn columns(&self) -> Vec<(String, DataType)> {
        let columns = self.schema.columns();
        let named = columns
            .iter()
            .map(|field| (field.name().clone(), field.data_type().clone()));
        named.collect()
    }

    /// All columns of the rows of `records`.
    pub(super) fn decode<R: AsRef<[u8]>>(&self, records: &[R]) -> Result<Rows> {
        let all: Vec<usize> = (0..self.schema.columns().len()).collect();
        self.decode_columns(&all, records)
    }

    /// The rows of `records` with the columns of these indices.
    pub(super) fn decode_columns<R: AsRef<[u8]>>(
        &self,
        projection: &[usize],
        records: &[R],
    ) -> Result<Rows> {
        let mut decoder = Decoder::new(&self.schema, projection)?;
        let mut rows = Rows::default();
        rows.append(&mut decoder, records, 0)?;
        Ok(rows)
    }

    /// The rows of `records`, which must be all there are.
    pub(super) fn rows<R: AsRef<[u8]>>(&self, records: &[R]) -> Vec<String> {
        self.decode(records).unwrap().rows
    }

    /// The only row of `record`.
    pub(super) fn row(&self, record: impl AsRef<[u8]>) -> String {
        let rows = self.rows(&[record]);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.into_iter().next().unwrap()
    }

    /// Why `record` cannot be decoded.
    pub(super) fn failure(&self, record: impl AsRef<[u8]>) -> String {
        self.decode(&[record]).unwrap_err().to_string()
    }

    pub(super) fn source(&self, index: usize) -> String {
        self.schema.source(index)
    }

    pub(super) fn encoder(&self) -> Encoder {
        self.try_encoder().unwrap()
    }

    pub(super) fn try_encoder(&self) -> Result<Encoder> {
        Encoder::new(&self.schema)
    }

    pub(super) fn decoder(&self, projection: &[usize]) -> Decoder {
        Decoder::new(&self.schema, projection).unwrap()
    }
}

impl Rows {
    /// Appends the rows of `records`, the first of which has the index `first`.
    pub(super) fn append<R: AsRef<[u8]>>(
        &mut self,
        decoder: &mut Decoder,
        records: &[R],
        first: usize,
    ) -> Result<()> {
        let data = BinaryArray::from_iter_values(records.iter().map(AsRef::as_ref));
        let mut next = 0;
        while next < data.len() {
            let decoded = decoder.decode(&data, next)?;
            let size = decoded.records.len() + decoded.skipped.len();
            assert!(decoded.next > next || size > 0, "nothing was decoded");
            assert!(size <= decoder.batch_rows, "the batch has {size} rows");
            next = decoded.next;
            let options = FormatOptions::default().with_null("NULL");
            let columns: Vec<_> = (decoded.columns.iter())
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..decoded.records.len() {
                let cells = columns.iter().map(|column| column.value(row).to_string());
                self.rows.push(cells.collect::<Vec<_>>().join(" | "));
            }
            let records = decoded.records.iter();
            self.records
                .extend(records.map(|record| first + *record as usize));
            self.bad.extend(decoded.skipped);
            self.bad_documents += decoded.bad_documents;
            self.skipped_documents += decoded.skipped_documents;
            self.mismatches += decoded.mismatches;
        }
        Ok(())
    }
}
