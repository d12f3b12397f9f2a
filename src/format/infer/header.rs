//! Recognizes headers that name the schema of the document after them.

use std::collections::HashSet;

use crate::options::SchemaRegistryType;

/// The header before a document, which says what schema it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Header {
    /// Avro's own, with the fingerprint of the schema.
    SingleObject([u8; 8]),
    /// Of a Confluent registry, with the id of the schema.
    Confluent(u32),
    /// Of AWS Glue, with the id of the version of the schema.
    Glue([u8; 16]),
}

/// Ids of a Confluent registry count up from 1. Anything larger is a coincidence.
const MAX_CONFLUENT_ID: u32 = 10_000_000;

/// How many schemas a stream can have, however few its records.
const FEW_SCHEMAS: usize = 3;

/// How many records each further schema has at least, on average. Other binary data has as many "ids" as records.
const RECORDS_PER_SCHEMA: usize = 10;

impl Header {
    /// The header that `bytes` may start with.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xc3, 0x01, rest @ ..] => Some(Self::SingleObject(*rest.first_chunk()?)),
            [0x00, rest @ ..] => {
                let id = u32::from_be_bytes(*rest.first_chunk()?);
                let is_id = (1..=MAX_CONFLUENT_ID).contains(&id);
                is_id.then_some(Self::Confluent(id))
            }
            [0x03, 0x00 | 0x05, rest @ ..] => Some(Self::Glue(*rest.first_chunk()?)),
            _ => None,
        }
    }

    /// Whether both are headers of the same kind, with whatever schema.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether so many of `payloads` have a header of this kind, with so few schemas, that it is no coincidence.
    pub(super) fn is_plausible<'a>(&self, payloads: impl Iterator<Item = &'a [u8]>) -> bool {
        let (mut all, mut framed, mut lengths, mut schemas) = (0, 0, 0, HashSet::new());
        for payload in payloads {
            all += 1;
            let Some((header, document)) = self.split(payload) else {
                continue;
            };
            framed += 1;
            schemas.insert(header);
            // A message may also start with its length, as in gRPC.
            let is_length = |id: u32| usize::try_from(id).is_ok_and(|id| id == document.len());
            lengths += usize::from(matches!(header, Self::Confluent(id) if is_length(id)));
        }
        framed * 2 > all
            && lengths * 2 <= framed
            && schemas.len() <= FEW_SCHEMAS.max(framed / RECORDS_PER_SCHEMA)
    }

    /// The registry whose serializers write headers of this kind.
    pub(super) fn registry(&self) -> Option<SchemaRegistryType> {
        match self {
            Self::SingleObject(_) => None,
            Self::Confluent(_) => Some(SchemaRegistryType::Confluent),
            Self::Glue(_) => Some(SchemaRegistryType::Glue),
        }
    }

    /// The header of `payload`, if it is of this kind, and the document after it.
    fn split<'a>(&self, payload: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header = Self::of(payload).filter(|header| header.is_like(self))?;
        Some((header, payload.get(header.bytes()..)?))
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::SingleObject(_) => 10,
            Self::Confluent(_) => 5,
            Self::Glue(_) => 18,
        }
    }
}
