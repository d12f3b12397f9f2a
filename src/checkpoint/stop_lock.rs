//! The object `STOP_LOCK` in a checkpoint, with which another process stops the query.

use std::sync::Arc;

use super::billed::BilledRequests;
use super::objects::{Objects, location};
use crate::error::Result;

/// The name of the object.
const STOP_LOCK: &str = "STOP_LOCK";

/// The object `STOP_LOCK` of a checkpoint location. Creating it requests the query to stop.
#[derive(Debug, Clone)]
pub(crate) struct StopLock(Arc<dyn Objects>);

impl StopLock {
    /// The stop lock of `location`; reads nothing yet.
    pub(crate) fn at(location: &str) -> Result<Self> {
        location::objects(location).map(Self)
    }

    /// The location, for messages.
    pub(crate) fn location(&self) -> &str {
        self.0.location()
    }

    /// What AWS bills for the requests so far.
    pub(crate) fn billed_requests(&self) -> BilledRequests {
        self.0.billed()
    }

    /// Whether it exists.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        let there = self.0.exists(STOP_LOCK).await;
        there.map_err(super::StoreError::into_error)
    }

    /// Deletes it, so that the query can start again; returns whether it existed.
    pub(crate) async fn take(&self) -> Result<bool> {
        let there = async {
            let there = self.0.exists(STOP_LOCK).await?;
            if there {
                self.0.delete(STOP_LOCK).await?;
            }
            Ok(there)
        };
        there.await.map_err(super::StoreError::into_error)
    }
}
