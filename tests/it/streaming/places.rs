//! Where logs are kept: `memory://name` as objects in this process, `dynamodb://name` in a table of it.

#[cfg(feature = "dynamodb")]
use std::sync::LazyLock;

#[cfg(feature = "dynamodb")]
use datafusion_kinesis::checkpoint::DynamoDbCommitter;
use datafusion_kinesis::checkpoint::{ObjectStoreCommitter, OffsetCommitter};

use super::*;
#[cfg(feature = "dynamodb")]
use crate::dynamo::Dynamo;

/// What keeps the logs of a test.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keeper {
    Memory,
    #[cfg(feature = "dynamodb")]
    DynamoDb,
}

impl Keeper {
    /// A place of that name.
    pub(super) fn place(self, name: &str) -> String {
        match self {
            Self::Memory => format!("memory://{name}"),
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb => format!("dynamodb://{name}"),
        }
    }
}

/// A handle of the log at `place`.
pub(super) fn open(place: &str) -> Arc<dyn OffsetCommitter> {
    #[cfg(feature = "dynamodb")]
    if let Some(query) = place.strip_prefix("dynamodb://") {
        static TABLES: LazyLock<Dynamo> = LazyLock::new(Dynamo::new);
        return Arc::new(DynamoDbCommitter::over(TABLES.client(), "offsets", query).unwrap());
    }
    Arc::new(ObjectStoreCommitter::open(place).unwrap())
}

/// The query with its log at `place`.
pub(super) fn placed(builder: StreamingQueryBuilder, place: &str) -> StreamingQueryBuilder {
    match place.starts_with("memory://") {
        true => builder.with_checkpoint_location(place),
        false => builder.with_committer(open(place)),
    }
}
