//! Which query a checkpoint belongs to, where it is stored, and which queries are running.

mod metadata;
#[cfg(feature = "cli")]
mod preflight;
mod registry;
mod root;
mod statement;
mod storage;

pub(super) use self::metadata::{ChangedQuery, Identity, IdentityCheck, log_options, new_uuid};
#[cfg(feature = "cli")]
pub(crate) use self::preflight::expect_own_checkpoint;
pub(super) use self::registry::{Registration, SessionQueries, StartedQuery};
pub(super) use self::root::RootedQuery;
#[cfg(feature = "cli")]
pub(crate) use self::statement::same_statement;
pub(super) use self::storage::{CheckpointStorage, StorageSettings, refuse_stop_lock};
