//! Collects the encoded documents of a batch.

use datafusion::arrow::array::LargeBinaryArray;
use datafusion::arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use super::EncodeError;
use super::compressor::Compressor;
use crate::error::{Error, Result};
use crate::options::Compression;

/// The documents of the rows so far, compressed. 64-bit offsets, because nothing limits the size of a batch.
#[derive(Debug)]
pub(in crate::format) struct EncodedDocuments {
    bytes: Vec<u8>,
    /// The end of each document in `bytes`.
    ends: Vec<i64>,
    compressor: Option<Compressor>,
    /// The current document before compression.
    document: Vec<u8>,
}

impl EncodedDocuments {
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) for [`Compression::Auto`].
    pub(super) fn new(compression: Compression) -> Result<Self> {
        Ok(Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            compressor: Compressor::new(compression)?,
            document: Vec::new(),
        })
    }

    /// The number of documents.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds the document that `write` appends to a buffer.
    ///
    /// # Errors
    /// Those of `write`; nothing is added then.
    pub(in crate::format) fn push_with(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> std::result::Result<(), EncodeError>,
    ) -> std::result::Result<(), EncodeError> {
        let Some(compressor) = &mut self.compressor else {
            write(&mut self.bytes)?;
            self.ends.push(self.bytes.len() as i64);
            return Ok(());
        };
        self.document.clear();
        write(&mut self.document)?;
        compressor.append(&self.document, &mut self.bytes)?;
        self.ends.push(self.bytes.len() as i64);
        Ok(())
    }

    /// The documents as an array; none are left.
    pub(super) fn finish(&mut self) -> Result<LargeBinaryArray> {
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let end = offsets.last().map_or(0, |end| *end as usize);
        // The document of a failed row has no end.
        self.bytes.truncate(end);
        let bytes = std::mem::take(&mut self.bytes);
        // The next batch is probably of the same size.
        self.bytes.reserve(bytes.len());
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        LargeBinaryArray::try_new(offsets, Buffer::from_vec(bytes), None).map_err(|error| {
            Error::internal("encoded documents are no valid column").with_source(error)
        })
    }
}
