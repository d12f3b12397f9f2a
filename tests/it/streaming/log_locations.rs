//! Log locations of tests: `memory://name` in an object store, `dynamodb://name` in a DynamoDB
//! table, both in this process.

#[cfg(feature = "dynamodb")]
use std::sync::LazyLock;

#[cfg(feature = "dynamodb")]
use datafusion_kinesis::checkpoint::DynamoDbCommitter;
use datafusion_kinesis::checkpoint::{ObjectStoreCommitter, OffsetCommitter};

use super::*;
#[cfg(feature = "dynamodb")]
use crate::dynamo::Dynamo;

/// The kind of log store.
#[derive(Debug, Clone, Copy)]
pub(super) enum LogStore {
    Memory,
    #[cfg(feature = "dynamodb")]
    DynamoDb,
}

impl LogStore {
    /// The location with this name.
    pub(super) fn place(self, name: &str) -> String {
        match self {
            Self::Memory => format!("memory://{name}"),
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb => format!("dynamodb://{name}"),
        }
    }
}

/// Opens the log at `place`.
pub(super) fn open(place: &str) -> Arc<dyn OffsetCommitter> {
    #[cfg(feature = "dynamodb")]
    if let Some(query) = place.strip_prefix("dynamodb://") {
        static TABLES: LazyLock<Dynamo> = LazyLock::new(Dynamo::new);
        return Arc::new(DynamoDbCommitter::over(TABLES.client(), "offsets", query).unwrap());
    }
    Arc::new(ObjectStoreCommitter::open(place).unwrap())
}

/// A query with its log at `place`.
pub(super) fn placed(builder: StreamingQueryBuilder, place: &str) -> StreamingQueryBuilder {
    match place.starts_with("memory://") {
        true => builder.with_checkpoint_location(place),
        false => builder.with_committer(open(place)),
    }
}
