//! Tries a place for a checkpoint as a query will use it, and leaves nothing behind.

use std::sync::Arc;

use bytes::Bytes;

use super::objects::Objects;
#[cfg(feature = "cli")]
use super::objects::location;
use super::{StoreError, StoreResult};
#[cfg(feature = "cli")]
use crate::error::Result;
use crate::error::{Error, ErrorKind};

/// Creates an object at `location`, finds it in every way a query looks for one, and deletes it.
///
/// # Errors
/// What stands in the way, in the words of the store.
#[cfg(feature = "cli")]
pub(crate) async fn try_location(location: &str) -> Result<()> {
    let objects = location::objects(location)?;
    try_objects(&objects).await.map_err(StoreError::into_error)
}

/// The same at a location that is open. A log hangs on what is tried here: a store that overwrites lets
/// two starts of a query go on side by side.
///
/// # Errors
/// As [`try_location`].
pub(super) async fn try_objects(objects: &Arc<dyn Objects>) -> StoreResult<()> {
    // Hidden names are none of the log, where a query may be at work.
    let name = format!("offsets/.trial-{:016x}", fastrand::Rng::new().u64(..));
    let tried = try_object(objects, &name).await;
    // Also what was created by a trial that failed later.
    let deleted = objects.delete(&name).await;
    tried.and(deleted)
}

async fn try_object(objects: &Arc<dyn Objects>, name: &str) -> StoreResult<()> {
    let content = Bytes::from_static(b"{}\n");
    if !objects.create(name, content.clone()).await? {
        // Nobody else knows the name: a store says so, too, of two writers that are in each other's way.
        return Err(StoreError::transient(Error::new(
            ErrorKind::Unavailable,
            format!(
                "checkpoint '{}': {name} could not be created, another is in the way",
                objects.location()
            ),
        )));
    }
    if objects.create(name, content.clone()).await? {
        return Err(broken(
            objects,
            "created an object that was there, so nothing keeps two starts of a query apart; expected a \
             store that honours a conditional PUT (If-None-Match), or use another location",
        ));
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
    StoreError::permanent(Error::new(
        ErrorKind::Checkpoint,
        format!("checkpoint '{}': the store {what}", objects.location()),
    ))
}
