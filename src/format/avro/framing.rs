//! The header before a document, which says with which schema it was written.

use std::borrow::Cow;

use crate::format::documents::DocumentFailure;
use crate::format::header::{self, Unframed, after_magic, part};
use crate::model::SchemaId;
use crate::options::{AvroFraming, SchemaRegistryType};

/// The first bytes of the single-object encoding.
pub(super) const SINGLE_OBJECT_MAGIC: [u8; 2] = [0xc3, 0x01];

const OPTION: &str = "kinesis.avro.framing";

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

/// Removes the header of a record. A document may expand to `limit` bytes.
///
/// # Errors
/// The header is missing or unknown, or the document cannot be decompressed.
pub(super) fn unframed(
    record: &[u8],
    framing: AvroFraming,
    limit: usize,
) -> Result<Unframed<'_, NamedSchema>, DocumentFailure> {
    if let Some(registry) = registry(framing) {
        let Unframed {
            schema,
            bytes,
            start,
        } = header::unframed(record, registry, OPTION, limit)?;
        return Ok(Unframed {
            schema: NamedSchema::Registered(schema),
            bytes,
            start,
        });
    }
    let (schema, rest) = match framing {
        AvroFraming::SingleObject => {
            let name = "C3 01 of the single-object encoding";
            let rest = after_magic(record, &SINGLE_OBJECT_MAGIC, name, OPTION)?;
            let (fingerprint, rest) = part(record, rest, "a fingerprint")?;
            let fingerprint = u64::from_le_bytes(fingerprint);
            (NamedSchema::Fingerprint(fingerprint), rest)
        }
        _ => (NamedSchema::None, record),
    };
    Ok(Unframed {
        schema,
        start: record.len() - rest.len(),
        bytes: Cow::Borrowed(record),
    })
}

/// The id of the schema in a registry that the header of a record names, if it is complete.
pub(super) fn schema_id(record: &[u8], framing: AvroFraming) -> Option<SchemaId> {
    header::schema_id(record, registry(framing)?)
}

/// The registry whose serializers write these headers.
fn registry(framing: AvroFraming) -> Option<SchemaRegistryType> {
    match framing {
        AvroFraming::None | AvroFraming::SingleObject => None,
        AvroFraming::Confluent => Some(SchemaRegistryType::Confluent),
        AvroFraming::Glue => Some(SchemaRegistryType::Glue),
    }
}
