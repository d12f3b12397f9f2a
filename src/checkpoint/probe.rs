//! Probes a checkpoint location: performs the operations of a query on a temporary object.

use std::sync::Arc;

use bytes::Bytes;

use super::objects::Objects;
#[cfg(feature = "cli")]
use super::objects::location;
use super::{StoreError, StoreResult};
#[cfg(feature = "cli")]
use crate::error::Result;
use crate::error::{Error, ErrorKind};

/// Creates an object at `location`, reads and lists it, and deletes it.
///
/// # Errors
/// The error of the store that a query would get.
#[cfg(feature = "cli")]
pub(crate) async fn try_location(location: &str) -> Result<()> {
    let objects = location::objects(location)?;
    try_objects(&objects).await.map_err(StoreError::into_error)
}

/// Like [`try_location`], with opened objects. A log relies on the operations that are probed here: with a
/// store that overwrites objects, two runs of a query would continue concurrently.
///
/// # Errors
/// As [`try_location`].
pub(super) async fn try_objects(objects: &Arc<dyn Objects>) -> StoreResult<()> {
    // A log ignores hidden names, so this does not disturb a running query.
    let name = format!("offsets/.trial-{:016x}", fastrand::Rng::new().u64(..));
    let tried = try_object(objects, &name).await;
    // Deletes the object even after a failure, because it may have been created.
    let deleted = objects.delete(&name).await;
    tried.and(deleted)
}

async fn try_object(objects: &Arc<dyn Objects>, name: &str) -> StoreResult<()> {
    let content = Bytes::from_static(b"{}\n");
    if !objects.create(name, content.clone()).await? {
        // The name is unique: some stores also report this for concurrent requests.
        return Err(StoreError::transient(Error::new(
            ErrorKind::Unavailable,
            format!(
                "checkpoint '{}': {name} could not be created because of a conflicting request",
                objects.location()
            ),
        )));
    }
    if objects.create(name, content.clone()).await? {
        return Err(broken(
            objects,
            "overwrote an existing object, so it cannot fence two runs of a query; expected a store that \
             honours a conditional PUT (If-None-Match), or another location",
        ));
    }
    if objects.read(name).await? != Some(content) {
        return Err(broken(objects, "does not return what was written"));
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
