//! Entry points of the benches into parts that are not public.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BinaryArray, LargeBinaryArray};
use datafusion::arrow::datatypes::Fields;

use crate::error::{Error, Result};
use crate::format::{Decoder, Encoder, PayloadSchema};
use crate::kinesis::{BufferPool, RecordColumns, RecordsPage, WireBody};
use crate::options::OptionsBuilder;

/// Decodes payloads as a table with option `kinesis.format` does.
#[derive(Debug)]
pub struct PayloadDecoder(Decoder);

impl PayloadDecoder {
    /// A decoder for the columns with the indices `projection` of a table with these columns and this format.
    ///
    /// # Errors
    /// The format does not exist, or does not suit the columns.
    pub fn new(format: &str, columns: &Fields, projection: &[usize]) -> Result<Self> {
        Ok(Self(Decoder::new(&schema(format, columns)?, projection)?))
    }

    /// Decodes all of `records`. Returns the columns of each batch of rows.
    ///
    /// # Errors
    /// A record cannot be decoded.
    pub fn decode(&mut self, records: &BinaryArray) -> Result<Vec<Vec<ArrayRef>>> {
        let mut batches = Vec::new();
        let mut next = 0;
        while next < records.len() {
            let decoded = self.0.decode(records, next)?;
            next = decoded.next;
            batches.push(decoded.columns);
        }
        Ok(batches)
    }
}

/// Encodes rows as a table with option `kinesis.format` does.
#[derive(Debug)]
pub struct PayloadEncoder(Encoder);

impl PayloadEncoder {
    /// An encoder for a table with these columns and this format.
    ///
    /// # Errors
    /// The format does not exist, or does not suit the columns.
    pub fn new(format: &str, columns: &Fields) -> Result<Self> {
        Ok(Self(Encoder::new(&schema(format, columns)?)?))
    }

    /// The document of each row of `columns`.
    ///
    /// # Errors
    /// A row cannot be encoded.
    pub fn encode(&mut self, columns: &[ArrayRef]) -> Result<LargeBinaryArray> {
        let rows = columns.first().map_or(0, |column| column.len());
        self.0.encode(columns, rows, |row| format!("row {row}"))
    }
}

/// Decodes answers to GetRecords into pages, whose memory it uses again.
#[derive(Debug)]
pub struct PageDecoder {
    format: WireBody,
    pool: BufferPool,
}

impl PageDecoder {
    /// A decoder of answers in JSON.
    pub fn json() -> Self {
        Self {
            format: WireBody::Json,
            pool: BufferPool::default(),
        }
    }

    /// A decoder of answers in CBOR.
    pub fn cbor() -> Self {
        Self {
            format: WireBody::Cbor,
            pool: BufferPool::default(),
        }
    }

    /// The page with all columns in the body of an answer.
    ///
    /// # Errors
    /// The answer is malformed.
    pub fn decode(&self, body: &[u8]) -> Result<RecordsPage> {
        let page = self
            .format
            .records_page(body, RecordColumns::ALL, &self.pool);
        page.map_err(|error| Error::internal(error.to_string()))
    }
}

/// What the payload of a table with these columns and this format looks like.
fn schema(format: &str, columns: &Fields) -> Result<Arc<PayloadSchema>> {
    let mut options = OptionsBuilder::default();
    options.set_location("bench")?;
    options.set("kinesis.format", format)?;
    let format = options.finish()?.format;
    let format = format.ok_or_else(|| Error::invalid_option("format 'raw' has no columns"))?;
    Ok(Arc::new(PayloadSchema::new(format, columns)?))
}
