//! Decompresses records.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::documents::DocumentFailure;
use crate::options::Compression;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The bytes of `record` after decompression, at most `limit`.
///
/// # Errors
/// The record is not compressed in this way, is damaged, or expands to more than `limit` bytes.
pub(super) fn decompressed(
    record: &[u8],
    compression: Compression,
    limit: usize,
) -> Result<Cow<'_, [u8]>, DocumentFailure> {
    let compression = match compression {
        Compression::Auto if record.starts_with(GZIP_MAGIC) => Compression::Gzip,
        Compression::Auto if record.starts_with(ZSTD_MAGIC) => Compression::Zstd,
        Compression::Auto => Compression::None,
        other => other,
    };
    let bytes = match compression {
        Compression::None | Compression::Auto => return Ok(Cow::Borrowed(record)),
        Compression::Gzip => bounded(MultiGzDecoder::new(record), record.len(), limit, "gzip"),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(record);
            let decoder = decoder.map_err(|error| failure("zstd", &error))?;
            bounded(decoder, record.len(), limit, "zstd")
        }
    };
    bytes.map(Cow::Owned)
}

/// Reads all of `decoder`, but not more than `limit` bytes.
pub(super) fn bounded(
    decoder: impl Read,
    compressed: usize,
    limit: usize,
    name: &str,
) -> Result<Vec<u8>, DocumentFailure> {
    // Text usually compresses to a fifth or more.
    let mut bytes = Vec::with_capacity(limit.min(compressed.saturating_mul(4)));
    let mut decoder = decoder.take(limit as u64 + 1);
    decoder
        .read_to_end(&mut bytes)
        .map_err(|error| failure(name, &error))?;
    if bytes.len() > limit {
        return Err(DocumentFailure::new(format!(
            "expands to more than {limit} bytes ('kinesis.format.maxDecompressedBytes')"
        )));
    }
    Ok(bytes)
}

fn failure(name: &str, error: &io::Error) -> DocumentFailure {
    DocumentFailure::new(format!("is not valid {name} data: {error}"))
}

#[cfg(test)]
mod tests;
