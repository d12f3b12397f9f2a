//! How a query is told to stop from outside: an object in its checkpoint.

use std::sync::Arc;

use super::objects::{Objects, location};
use crate::error::Result;

/// The name of the object.
const STOP_LOCK: &str = "STOP_LOCK";

/// The object `STOP_LOCK` of a checkpoint location: whoever creates it asks the query to stop.
#[derive(Debug, Clone)]
pub(crate) struct StopLock(Arc<dyn Objects>);

impl StopLock {
    /// The stop lock of `location`; nothing is read yet.
    pub(crate) fn at(location: &str) -> Result<Self> {
        location::objects(location).map(Self)
    }

    /// Where it is, for messages.
    pub(crate) fn location(&self) -> &str {
        self.0.location()
    }

    /// Whether there is one.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        let there = self.0.exists(STOP_LOCK).await;
        there.map_err(super::StoreError::into_error)
    }

    /// Whether there was one; it is removed, so that the next start runs.
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
