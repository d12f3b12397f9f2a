//! Compresses documents one by one, with state that is allocated once.

use std::fmt;

use flate2::{Compress, FlushCompress, Status};

use crate::error::{Error, Result};
use crate::options::Compression;

/// The base-2 logarithm of gzip's window.
const GZIP_WINDOW_BITS: u8 = 15;

/// Compresses each document to one gzip member or Zstandard frame.
pub(super) enum Compressor {
    Gzip(Compress),
    Zstd {
        compressor: zstd::bulk::Compressor<'static>,
        /// The compressed document; the library writes to the start of a buffer only.
        frame: Vec<u8>,
    },
}

impl Compressor {
    /// A compressor of this kind; `None` for [`Compression::None`].
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) for [`Compression::Auto`].
    pub(super) fn new(compression: Compression) -> Result<Option<Self>> {
        match compression {
            Compression::None => Ok(None),
            Compression::Auto => Err(Error::invalid_option(
                "option 'kinesis.format.compression' = 'auto': expected 'none', 'gzip' or 'zstd' for a table that is \
                 written",
            )),
            Compression::Gzip => Ok(Some(Self::Gzip(Compress::new_gzip(
                flate2::Compression::default(),
                GZIP_WINDOW_BITS,
            )))),
            Compression::Zstd => {
                let compressor = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL);
                let compressor = compressor.map_err(|error| failed(&error))?;
                let frame = Vec::new();
                Ok(Some(Self::Zstd { compressor, frame }))
            }
        }
    }

    /// Appends `document`, compressed, to `out`.
    ///
    /// # Errors
    /// The compression library fails, which is a defect.
    pub(super) fn append(&mut self, document: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Gzip(compress) => {
                compress.reset();
                let mut rest = document;
                loop {
                    // Half of the input and the trailer; more follows if that is not enough.
                    out.reserve(rest.len() / 2 + 64);
                    let before = compress.total_in();
                    let status = compress.compress_vec(rest, out, FlushCompress::Finish);
                    let status = status.map_err(|error| failed(&error))?;
                    if status == Status::StreamEnd {
                        return Ok(());
                    }
                    rest = &rest[(compress.total_in() - before) as usize..];
                }
            }
            Self::Zstd { compressor, frame } => {
                frame.clear();
                frame.reserve(zstd::zstd_safe::compress_bound(document.len()));
                let written = compressor.compress_to_buffer(document, frame);
                written.map_err(|error| failed(&error))?;
                out.extend_from_slice(frame);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip(_) => "Gzip",
            Self::Zstd { .. } => "Zstd",
        })
    }
}

fn failed(error: &dyn std::error::Error) -> Error {
    Error::internal(format!("a document cannot be compressed: {error}"))
}
