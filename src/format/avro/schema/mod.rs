//! Avro schemas: their types, as a writer used them.
//!
//! Types refer to each other by index, because a named type can contain itself.

mod canonical;
#[cfg(feature = "cli")]
mod columns;
mod derive;
mod parse;

use datafusion::arrow::datatypes::{Fields, TimeUnit};

#[cfg(feature = "cli")]
pub(in crate::format) use self::columns::{SchemaColumns, columns};
use crate::error::{Error, Result};

/// The index of a type in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TypeId(usize);

/// The schema of a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AvroSchema {
    types: Vec<AvroType>,
    root: TypeId,
    /// Whether each value of the type with this index has at least one byte.
    has_bytes: Vec<bool>,
}

/// A type of a schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AvroType {
    pub(super) kind: Kind,
    /// What the values mean, if the schema says so. Annotations that are unknown or do not suit the type are
    /// ignored, as the specification demands.
    pub(super) logical: Option<Logical>,
}

/// How the values of a type are encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed {
        name: String,
        size: usize,
    },
    Enum {
        name: String,
        symbols: Vec<String>,
    },
    Record {
        name: String,
        fields: Vec<AvroField>,
    },
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
}

/// A field of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AvroField {
    pub(super) name: String,
    pub(super) data_type: TypeId,
}

/// What the values of a type mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    /// An integer in two's complement, big-endian, that stands for itself times 10^-`scale`.
    Decimal {
        precision: u8,
        scale: u8,
    },
    Uuid,
    /// Days after 1970.
    Date,
    /// Time after midnight.
    TimeOfDay(TimeUnit),
    /// Time after 1970.
    Timestamp {
        unit: TimeUnit,
        is_local: bool,
    },
}

impl AvroSchema {
    /// The schema that `json` describes.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if it is no JSON or no valid schema.
    pub(in crate::format) fn parse(json: &str) -> Result<Self> {
        Self::with_references(json, &[])
            .map_err(|reason| Error::invalid_option(format!("the Avro schema: {reason}")))
    }

    /// The schema that `json` describes with the named types of `references`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn with_references(json: &str, references: &[String]) -> Result<Self, String> {
        let (types, root) = parse::parse(json, references)?;
        let has_bytes = has_bytes(&types);
        Ok(Self {
            types,
            root,
            has_bytes,
        })
    }

    /// The JSON of a schema for rows of `columns`: a record whose fields can all be null.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) if the name of a column is not allowed in Avro.
    pub(in crate::format) fn json_of(columns: &Fields) -> Result<String> {
        derive::derive(columns)
    }

    /// The type of a document.
    pub(super) fn root(&self) -> TypeId {
        self.root
    }

    /// The type with this index.
    pub(super) fn get(&self, id: TypeId) -> &AvroType {
        &self.types[id.0]
    }

    /// Whether each value of this type has at least one byte.
    pub(super) fn has_bytes(&self, id: TypeId) -> bool {
        self.has_bytes[id.0]
    }

    /// The fingerprint of the schema that documents in the single-object encoding have: CRC-64-AVRO.
    pub(super) fn fingerprint(&self) -> u64 {
        canonical::fingerprint(self.canonical().as_bytes())
    }

    /// The schema in the canonical form of the specification.
    pub(super) fn canonical(&self) -> String {
        canonical::form(self)
    }

    /// The fields of the record with this index; none for another type.
    pub(super) fn fields(&self, id: TypeId) -> &[AvroField] {
        match &self.get(id).kind {
            Kind::Record { fields, .. } => fields,
            _ => &[],
        }
    }
}

impl AvroType {
    /// Its name in messages.
    pub(super) fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Bytes => "bytes",
            Kind::String => "string",
            Kind::Fixed { .. } => "fixed",
            Kind::Enum { .. } => "enum",
            Kind::Record { .. } => "record",
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
        }
    }
}

/// Whether each value of each type has at least one byte.
fn has_bytes(types: &[AvroType]) -> Vec<bool> {
    let mut known = vec![false; types.len()];
    // Records use types with higher and, if they are recursive, with lower indices.
    loop {
        let mut has_changed = false;
        for (index, avro_type) in types.iter().enumerate().rev() {
            let has_bytes = match &avro_type.kind {
                Kind::Null => false,
                Kind::Fixed { size, .. } => *size > 0,
                Kind::Record { fields, .. } => fields.iter().any(|field| known[field.data_type.0]),
                _ => true,
            };
            has_changed |= known[index] != has_bytes;
            known[index] = has_bytes;
        }
        if !has_changed {
            return known;
        }
    }
}
