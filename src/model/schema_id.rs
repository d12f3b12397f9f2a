//! Ids of schemas in registries.

use std::fmt;

use uuid::Uuid;

/// The id by which a document names its schema in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SchemaId {
    /// A schema in Confluent's registry.
    Confluent(u32),
    /// A version of a schema in AWS Glue.
    Glue(Uuid),
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confluent(id) => write!(f, "schema {id}"),
            Self::Glue(version) => write!(f, "schema version {version}"),
        }
    }
}
