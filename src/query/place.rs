//! Where a query keeps its progress, and is told to stop.

use std::sync::Arc;

use crate::checkpoint::{OffsetCommitter, StopLock, open, private};
use crate::error::{Error, Result};

/// What the builder, the session and the tables say about it.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) committer: Option<Arc<dyn OffsetCommitter>>,
    pub(super) checkpoint_location: Option<&'a str>,
    pub(super) metadata_path: Option<&'a str>,
}

/// Where a query keeps its progress.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) committer: Arc<dyn OffsetCommitter>,
    pub(super) stop_lock: Option<StopLock>,
    /// What no other query may use meanwhile, by name.
    pub(super) held: Vec<String>,
}

impl Place {
    /// The log is where a committer was given, else at the metadata path, else at the checkpoint
    /// location; the stop lock is at the checkpoint location, else at the metadata path.
    ///
    /// # Errors
    /// A location that cannot be meant, or none at all for an INSERT.
    pub(super) fn new(told: Told<'_>, inserts: bool) -> Result<Self> {
        let beside = told.checkpoint_location.or(told.metadata_path);
        let stop_lock = beside.map(StopLock::at).transpose()?;
        let log = told.metadata_path.or(told.checkpoint_location);
        let committer = match (told.committer, log) {
            (Some(committer), _) => committer,
            (None, Some(location)) => open(location)?,
            (None, None) if inserts => return Err(nowhere()),
            (None, None) => {
                tracing::info!("no checkpoint location: the next start of this query begins anew");
                return Ok(Self {
                    committer: private(),
                    stop_lock: None,
                    held: Vec::new(),
                });
            }
        };
        let mut held = vec![committer.location()];
        held.extend(stop_lock.as_ref().map(|lock| lock.location().to_owned()));
        Ok(Self {
            committer,
            stop_lock,
            held,
        })
    }
}

fn nowhere() -> Error {
    Error::invalid_option(
        "a streaming INSERT needs a place to keep its progress: expected SET \
         streaming.checkpoint_location = 'file:///some/directory' (or s3://…), or \
         with_checkpoint_location(…) in code",
    )
}
