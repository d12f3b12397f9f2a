//! Checks for a `STOP_LOCK` in the checkpoint location while a query runs.

use crate::checkpoint::StopLock;
use crate::query::events::QueryRun;

/// The stop lock of a query, and whether the last check for it failed.
#[derive(Debug)]
pub(in crate::query) struct StopLockWatch {
    lock: Option<StopLock>,
    has_failed: bool,
}

impl StopLockWatch {
    pub(in crate::query) fn new(lock: Option<StopLock>) -> Self {
        Self {
            lock,
            has_failed: false,
        }
    }

    /// Whether the query has a location for a stop lock.
    pub(super) fn is_set(&self) -> bool {
        self.lock.is_some()
    }

    /// Removes the stop lock, and returns whether there was one. Of consecutive failures only the first is
    /// logged, and all are ignored: if the checkpoint cannot be reached at all, the next batch fails.
    pub(super) async fn take(&mut self, run: &QueryRun) -> bool {
        let Some(lock) = &self.lock else {
            return false;
        };
        match lock.take().await {
            Ok(found) => {
                self.has_failed = false;
                if found {
                    tracing::info!(query = %run, "stopping: found a STOP_LOCK");
                }
                found
            }
            Err(error) => {
                if !self.has_failed {
                    tracing::warn!(query = %run, "cannot look for the STOP_LOCK: {error}");
                }
                self.has_failed = true;
                false
            }
        }
    }
}
