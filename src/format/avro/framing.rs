//! The header before a document, which says with which schema it was written.

use std::borrow::Cow;

use flate2::bufread::ZlibDecoder;
use uuid::Uuid;

use crate::format::compression;
use crate::format::documents::DocumentFailure;
use crate::model::SchemaId;
use crate::options::AvroFraming;

/// The first bytes of the single-object encoding.
pub(super) const SINGLE_OBJECT_MAGIC: [u8; 2] = [0xc3, 0x01];
const CONFLUENT_MAGIC: u8 = 0;
const GLUE_MAGIC: u8 = 3;
const GLUE_UNCOMPRESSED: u8 = 0;
const GLUE_ZLIB: u8 = 5;

/// The schema that a header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedSchema {
    /// None.
    None,
    /// The one with this fingerprint.
    Fingerprint(u64),
    /// The one with this id in a registry.
    Registered(SchemaId),
}

/// A record without its header.
#[derive(Debug)]
pub(super) struct Unframed<'a> {
    /// What the header says about its schema.
    pub(super) schema: NamedSchema,
    /// The document starts with byte `start` of this.
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) start: usize,
}

/// Removes the header of a record. A document may expand to `limit` bytes.
///
/// # Errors
/// The header is missing or unknown, or the document cannot be decompressed.
pub(super) fn unframed(
    record: &[u8],
    framing: AvroFraming,
    limit: usize,
) -> Result<Unframed<'_>, DocumentFailure> {
    let whole = |schema, rest: &[u8]| Unframed {
        schema,
        start: record.len() - rest.len(),
        bytes: Cow::Borrowed(record),
    };
    match framing {
        AvroFraming::None => Ok(whole(NamedSchema::None, record)),
        AvroFraming::SingleObject => {
            let rest = after_magic(
                record,
                &SINGLE_OBJECT_MAGIC,
                "C3 01 of the single-object encoding",
            )?;
            let (fingerprint, rest) = id(record, rest, "a fingerprint")?;
            let schema = NamedSchema::Fingerprint(u64::from_le_bytes(fingerprint));
            Ok(whole(schema, rest))
        }
        AvroFraming::Confluent => {
            let rest = after_magic(record, &[CONFLUENT_MAGIC], "00 of Confluent's format")?;
            let (id, rest) = id(record, rest, "a schema id")?;
            let id = SchemaId::Confluent(u32::from_be_bytes(id));
            Ok(whole(NamedSchema::Registered(id), rest))
        }
        AvroFraming::Glue => {
            let rest = after_magic(record, &[GLUE_MAGIC], "03 of AWS Glue's format")?;
            let ([compression], rest) = id(record, rest, "a compression")?;
            let (version, rest) = id(record, rest, "a schema version")?;
            let schema = NamedSchema::Registered(SchemaId::Glue(Uuid::from_bytes(version)));
            match compression {
                GLUE_UNCOMPRESSED => Ok(whole(schema, rest)),
                GLUE_ZLIB => Ok(Unframed {
                    schema,
                    bytes: Cow::Owned(inflated(rest, limit)?),
                    start: 0,
                }),
                other => Err(DocumentFailure::at(
                    1,
                    format!("has compression {other:02X}: expected 00 (none) or 05 (zlib)"),
                )),
            }
        }
    }
}

/// The id of the schema in a registry that the header of a record names, if it is complete.
pub(super) fn schema_id(record: &[u8], framing: AvroFraming) -> Option<SchemaId> {
    match framing {
        AvroFraming::None | AvroFraming::SingleObject => None,
        AvroFraming::Confluent => {
            let (id, _) = record
                .strip_prefix(&[CONFLUENT_MAGIC])?
                .split_first_chunk()?;
            Some(SchemaId::Confluent(u32::from_be_bytes(*id)))
        }
        AvroFraming::Glue => {
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

/// The bytes after `magic`. `name` is its name in a message.
fn after_magic<'a>(
    record: &'a [u8],
    magic: &[u8],
    name: &str,
) -> Result<&'a [u8], DocumentFailure> {
    record.strip_prefix(magic).ok_or_else(|| {
        let found: Vec<String> = (record.iter().take(magic.len()))
            .map(|byte| format!("{byte:02X}"))
            .collect();
        let found = match found.is_empty() {
            true => "is empty".to_owned(),
            false => format!("starts with {}", found.join(" ")),
        };
        DocumentFailure::at(
            0,
            format!("{found}: expected {name} ('kinesis.avro.framing')"),
        )
    })
}

/// Takes the first bytes of `rest`, which ends `record`.
fn id<'a, const N: usize>(
    record: &[u8],
    rest: &'a [u8],
    name: &str,
) -> Result<([u8; N], &'a [u8]), DocumentFailure> {
    match rest.split_first_chunk() {
        Some((id, rest)) => Ok((*id, rest)),
        None => Err(DocumentFailure::at(
            record.len(),
            format!("ends within its header: expected {name} of {N} bytes"),
        )),
    }
}
