//! The header that the serializers of a schema registry write before a document: which schema it was written with.

use std::borrow::Cow;

use flate2::bufread::ZlibDecoder;
use uuid::Uuid;

use super::compression;
use super::documents::DocumentFailure;
use crate::model::SchemaId;
use crate::options::SchemaRegistryType;

const CONFLUENT_MAGIC: u8 = 0;
const GLUE_MAGIC: u8 = 3;
const GLUE_UNCOMPRESSED: u8 = 0;
const GLUE_ZLIB: u8 = 5;

/// A record without its header, which names a schema.
#[derive(Debug)]
pub(super) struct Unframed<'a, S> {
    /// The schema that the header names.
    pub(super) schema: S,
    /// The record, decompressed if its header says that it is compressed. The document starts with byte `start`.
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) start: usize,
}

impl<S> Unframed<'_, S> {
    /// How many bytes were decompressed.
    pub(super) fn decompressed(&self) -> usize {
        match &self.bytes {
            Cow::Borrowed(_) => 0,
            Cow::Owned(bytes) => bytes.len(),
        }
    }
}

/// Removes the header of `registry`, which `option` demands, from a record. A document may expand to `limit` bytes.
///
/// # Errors
/// The header is missing or unknown, or the document cannot be decompressed.
pub(super) fn unframed<'a>(
    record: &'a [u8],
    registry: SchemaRegistryType,
    option: &str,
    limit: usize,
) -> Result<Unframed<'a, SchemaId>, DocumentFailure> {
    let whole = |schema, rest: &[u8]| Unframed {
        schema,
        start: record.len() - rest.len(),
        bytes: Cow::Borrowed(record),
    };
    match registry {
        SchemaRegistryType::Confluent => {
            let name = "00 of Confluent's format";
            let rest = after_magic(record, &[CONFLUENT_MAGIC], name, option)?;
            let (id, rest) = part(record, rest, "a schema id")?;
            Ok(whole(SchemaId::Confluent(u32::from_be_bytes(id)), rest))
        }
        SchemaRegistryType::Glue => {
            let rest = after_magic(record, &[GLUE_MAGIC], "03 of AWS Glue's format", option)?;
            let ([compression], rest) = part(record, rest, "a compression")?;
            let (version, rest) = part(record, rest, "a schema version")?;
            let schema = SchemaId::Glue(Uuid::from_bytes(version));
            match compression {
                GLUE_UNCOMPRESSED => Ok(whole(schema, rest)),
                GLUE_ZLIB => {
                    let mut bytes = inflated(rest, limit)?;
                    // As if it had not been compressed.
                    let header = [GLUE_MAGIC, GLUE_UNCOMPRESSED].into_iter().chain(version);
                    bytes.splice(..0, header);
                    Ok(Unframed {
                        schema,
                        start: record.len() - rest.len(),
                        bytes: Cow::Owned(bytes),
                    })
                }
                other => Err(DocumentFailure::at(
                    1,
                    format!("has compression {other:02X}: expected 00 (none) or 05 (zlib)"),
                )),
            }
        }
    }
}

/// The id of the schema that the header of a record names, if it is complete.
pub(super) fn schema_id(record: &[u8], registry: SchemaRegistryType) -> Option<SchemaId> {
    match registry {
        SchemaRegistryType::Confluent => {
            let (id, _) = record
                .strip_prefix(&[CONFLUENT_MAGIC])?
                .split_first_chunk()?;
            Some(SchemaId::Confluent(u32::from_be_bytes(*id)))
        }
        SchemaRegistryType::Glue => {
            let (_, rest) = record.strip_prefix(&[GLUE_MAGIC])?.split_first()?;
            let (version, _) = rest.split_first_chunk()?;
            Some(SchemaId::Glue(Uuid::from_bytes(*version)))
        }
    }
}

fn inflated(compressed: &[u8], limit: usize) -> Result<Vec<u8>, DocumentFailure> {
    let mut decoder = ZlibDecoder::new(compressed);
    let bytes = compression::bounded(&mut decoder, compressed.len(), limit, "zlib")?;
    match decoder.into_inner().len() {
        0 => Ok(bytes),
        left => Err(DocumentFailure::new(format!(
            "has {left} bytes after its zlib data"
        ))),
    }
}

/// The bytes after `magic`, which `option` demands. `name` is its name in a message.
pub(super) fn after_magic<'a>(
    record: &'a [u8],
    magic: &[u8],
    name: &str,
    option: &str,
) -> Result<&'a [u8], DocumentFailure> {
    record.strip_prefix(magic).ok_or_else(|| {
        let found: Vec<String> = (record.iter().take(magic.len()))
            .map(|byte| format!("{byte:02X}"))
            .collect();
        let found = match found.is_empty() {
            true => "is empty".to_owned(),
            false => format!("starts with {}", found.join(" ")),
        };
        DocumentFailure::at(0, format!("{found}: expected {name} ('{option}')"))
    })
}

/// Takes the first bytes of `rest`, which ends `record`.
pub(super) fn part<'a, const N: usize>(
    record: &[u8],
    rest: &'a [u8],
    name: &str,
) -> Result<([u8; N], &'a [u8]), DocumentFailure> {
    match rest.split_first_chunk() {
        Some((part, rest)) => Ok((*part, rest)),
        None => Err(DocumentFailure::at(
            record.len(),
            format!("ends within its header: expected {name} of {N} bytes"),
        )),
    }
}
