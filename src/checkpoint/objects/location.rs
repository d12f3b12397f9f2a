//! Checkpoint locations: from a URL or a path to the [`Objects`] there.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use url::Url;

use super::super::billed::BillCounter;
use super::Objects;
use super::local_files::LocalFiles;
use super::store::StoredObjects;
use crate::error::{Error, Result};
#[cfg(feature = "hdfs")]
use crate::stores::host;
#[cfg(not(feature = "hdfs"))]
use crate::stores::not_built_in;
use crate::stores::{EXPECTED, Opening, Settings, refuse_credentials_and_query, wrong};

/// What errors call the location.
const WHAT: &str = "checkpoint location";

/// The objects at `location`; reads and writes nothing yet.
pub(in crate::checkpoint) fn objects(location: &str) -> Result<Arc<dyn Objects>> {
    objects_with(location, &[])
}

/// The objects at `location`, in a store with `settings`.
pub(in crate::checkpoint) fn objects_with(
    location: &str,
    settings: &Settings,
) -> Result<Arc<dyn Objects>> {
    if location.trim().is_empty() {
        return Err(Error::invalid_option(format!(
            "checkpoint location '{location}': {EXPECTED}"
        )));
    }
    if !has_scheme(location) {
        let path = std::path::absolute(location).map_err(|error| {
            let message = format!("checkpoint location '{location}': {error}");
            Error::invalid_option(message).with_source(error)
        })?;
        return Ok(Arc::new(LocalFiles::new(&path)));
    }
    let url = Url::parse(location).map_err(|error| {
        Error::invalid_option(format!(
            "checkpoint location: not a URL ({error}); {EXPECTED}"
        ))
    })?;
    refuse_credentials_and_query(WHAT, &url)?;
    if url.scheme() == "file" {
        if location.contains('\\') {
            let what =
                "expected no backslash, which separates folders in a file:// URL (in a name: %5C)";
            return Err(wrong(WHAT, &url, what));
        }
        let path = url.to_file_path();
        let path = path.map_err(|()| wrong(WHAT, &url, "expected file:///path"))?;
        return Ok(Arc::new(LocalFiles::new(&path)));
    }
    let prefix = Path::from_url_path(url.path()).map_err(|error| {
        let reason = error.to_string();
        wrong(WHAT, &url, &reason).with_source(error)
    })?;
    let location = url.as_str().trim_end_matches('/').to_owned();
    if url.scheme() == "hdfs" {
        return hadoop(&url, location, &prefix);
    }
    let bill = Arc::new(BillCounter::default());
    let opening = Opening {
        what: WHAT,
        settings,
        // The query retries transient errors by its own policy.
        retries: false,
        counter: Arc::clone(&bill) as _,
    };
    let store = opening.store(&url)?;
    let objects = StoredObjects::new(store, prefix, location, bill);
    Ok(Arc::new(objects))
}

/// Objects in memory without a location.
pub(in crate::checkpoint) fn private() -> Arc<dyn Objects> {
    let location = "the memory of this run".to_owned();
    let store = Arc::new(InMemory::new());
    let objects = StoredObjects::new(store, Path::default(), location, Arc::default());
    Arc::new(objects)
}

/// Whether it begins with a URL scheme; a single letter is a Windows drive.
fn has_scheme(location: &str) -> bool {
    location.split_once(':').is_some_and(|(scheme, _)| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        scheme.len() > 1
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(allowed)
    })
}

#[cfg(feature = "hdfs")]
fn hadoop(url: &Url, location: String, path: &Path) -> Result<Arc<dyn Objects>> {
    host(WHAT, url)?;
    let files = super::hdfs::HdfsFiles::new(location, &format!("/{path}"));
    Ok(Arc::new(files))
}

#[cfg(not(feature = "hdfs"))]
fn hadoop(url: &Url, _: String, _: &Path) -> Result<Arc<dyn Objects>> {
    Err(not_built_in(WHAT, url, "hdfs"))
}
