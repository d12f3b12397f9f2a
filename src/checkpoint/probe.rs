//! Tries a place for a checkpoint as a query will use it, and leaves nothing behind.

use std::sync::Arc;

use bytes::Bytes;

use super::location;
use super::objects::Objects;
use super::{StoreError, StoreResult};
use crate::error::{Error, ErrorKind, Result};

/// Creates an object at `location`, finds it in every way a query looks for one, and deletes it.
///
/// # Errors
/// What stands in the way, in the words of the store.
pub(crate) async fn try_location(location: &str) -> Result<()> {
    let objects = location::objects(location)?;
    // Hidden names are none of the log, where a query may be at work.
    let name = format!("offsets/.trial-{:016x}", fastrand::Rng::new().u64(..));
    let tried = try_object(&objects, &name).await;
    // Also what was created by a trial that failed later.
    let deleted = objects.delete(&name).await;
    tried.and(deleted).map_err(StoreError::into_error)
}

async fn try_object(objects: &Arc<dyn Objects>, name: &str) -> StoreResult<()> {
    let content = Bytes::from_static(b"{}\n");
    objects.create(name, content.clone()).await?;
    if objects.create(name, content.clone()).await? {
        return Err(broken(objects, "created an object that was there"));
    }
    if objects.read(name).await? != Some(content) {
        return Err(broken(objects, "does not give back what was written"));
    }
    let (folder, own) = name.split_once('/').unwrap_or(("", name));
    if !objects.list(folder).await?.iter().any(|name| name == own) {
        return Err(broken(objects, "does not list what was written"));
    }
    Ok(())
}

fn broken(objects: &Arc<dyn Objects>, what: &str) -> StoreError {
    StoreError::lasting(Error::new(
        ErrorKind::Checkpoint,
        format!("checkpoint '{}': the store {what}", objects.location()),
    ))
}
