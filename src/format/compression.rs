//! Decompresses records.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::bufread;
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
        Compression::Gzip => {
            bounded_or(MultiGzDecoder::new(record), record.len(), limit, |error| {
                after_gzip(record).unwrap_or_else(|| failure("gzip", &error))
            })
        }
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(record);
            let decoder = decoder.map_err(|error| failure("zstd", &error))?;
            bounded_or(decoder, record.len(), limit, |error| {
                after_zstd(record).unwrap_or_else(|| failure("zstd", &error))
            })
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
    bounded_or(decoder, compressed, limit, |error| failure(name, &error))
}

/// Like [`bounded`]; `explain` says what is wrong with damaged data.
fn bounded_or(
    decoder: impl Read,
    compressed: usize,
    limit: usize,
    explain: impl FnOnce(io::Error) -> DocumentFailure,
) -> Result<Vec<u8>, DocumentFailure> {
    // Text usually compresses to a fifth or more.
    let mut bytes = Vec::with_capacity(limit.min(compressed.saturating_mul(4)));
    let mut decoder = decoder.take(limit as u64 + 1);
    decoder.read_to_end(&mut bytes).map_err(explain)?;
    if bytes.len() > limit {
        return Err(DocumentFailure::new(format!(
            "expands to more than {limit} bytes ('kinesis.format.maxDecompressedBytes')"
        )));
    }
    Ok(bytes)
}

/// Finds bytes after the last member of damaged `record`.
fn after_gzip(record: &[u8]) -> Option<DocumentFailure> {
    let mut rest = record;
    while rest.starts_with(GZIP_MAGIC) {
        // What was read before the damage was found is within the limit.
        let mut member = bufread::GzDecoder::new(rest);
        io::copy(&mut member, &mut io::sink()).ok()?;
        rest = member.into_inner();
    }
    after_end(record, rest, "gzip")
}

/// Finds bytes after the last frame of damaged `record`.
fn after_zstd(record: &[u8]) -> Option<DocumentFailure> {
    let mut rest = record;
    while rest.starts_with(ZSTD_MAGIC) {
        let frame = zstd::zstd_safe::find_frame_compressed_size(rest).ok()?;
        rest = rest.get(frame..)?;
    }
    after_end(record, rest, "zstd")
}

/// Describes `rest`, the end of `record`, if there is data before it.
fn after_end(record: &[u8], rest: &[u8], name: &str) -> Option<DocumentFailure> {
    let end = record.len() - rest.len();
    if end == 0 || rest.is_empty() {
        return None;
    }
    let plural = if rest.len() == 1 { "" } else { "s" };
    Some(DocumentFailure::new(format!(
        "has {} byte{plural} after its {name} data, which ends at byte {end}: expected nothing, or more {name} data",
        rest.len()
    )))
}

fn failure(name: &str, error: &io::Error) -> DocumentFailure {
    DocumentFailure::new(format!("is not valid {name} data: {error}"))
}

#[cfg(test)]
mod tests;
