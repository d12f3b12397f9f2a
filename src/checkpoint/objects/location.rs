//! Checkpoint locations: from a URL or a path to the [`Objects`] there.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use url::Url;

use super::super::billed::BillCounter;
use super::Objects;
use super::local_files::LocalFiles;
#[cfg(feature = "aws")]
use super::s3_client::{DefaultAccess, DefaultConnector, DefaultCredentials};
use super::store::StoredObjects;
use crate::error::{Error, Result};

const EXPECTED: &str = "expected file:///path, a path, memory://name/path, s3://bucket/path, \
    gs://bucket/path, az://container/path, abfss://container@account.dfs.core.windows.net/path or \
    hdfs://namenode:port/path";

/// Settings of an object store by the names of their environment variables, such as `aws_endpoint`. They take
/// precedence over the environment.
pub(in crate::checkpoint) type Settings = [(&'static str, String)];

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
    refuse_credentials_and_query(&url)?;
    if url.scheme() == "file" {
        if location.contains('\\') {
            let what =
                "expected no backslash, which separates folders in a file:// URL (in a name: %5C)";
            return Err(wrong(&url, what));
        }
        let path = url.to_file_path();
        let path = path.map_err(|()| wrong(&url, "expected file:///path"))?;
        return Ok(Arc::new(LocalFiles::new(&path)));
    }
    let prefix = Path::from_url_path(url.path()).map_err(|error| {
        let reason = error.to_string();
        wrong(&url, &reason).with_source(error)
    })?;
    let location = url.as_str().trim_end_matches('/').to_owned();
    if url.scheme() == "hdfs" {
        return hadoop(&url, location, &prefix);
    }
    let bill = Arc::new(BillCounter::default());
    let store = store(&url, settings, &bill)?;
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

/// Refuses credentials, a query and a fragment in a URL, without showing them.
fn refuse_credentials_and_query(url: &Url) -> Result<()> {
    // In an Azure URL, the user name is the container.
    let user = !url.username().is_empty() && !matches!(url.scheme(), "abfs" | "abfss");
    if user || url.password().is_some() {
        let what = "contains credentials: remove them; they are read from the environment";
        return Err(wrong(url, what));
    }
    if url.query().is_some() || url.fragment().is_some() {
        let what = "expected no '?' and no '#' (in a path: %3F and %23); credentials are read from \
                    the environment";
        return Err(wrong(url, what));
    }
    Ok(())
}

/// An error that shows only scheme, host and path.
fn wrong(url: &Url, what: &str) -> Error {
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    let path = url.path();
    Error::invalid_option(format!(
        "checkpoint location '{scheme}://{host}{path}': {what}"
    ))
}

fn host(url: &Url) -> Result<&str> {
    let host = url.host_str().filter(|name| !name.is_empty());
    host.ok_or_else(|| wrong(url, EXPECTED))
}

fn store(url: &Url, settings: &Settings, bill: &Arc<BillCounter>) -> Result<Arc<dyn ObjectStore>> {
    let name = host(url)?;
    match url.scheme() {
        "memory" => Ok(memory(name)),
        "s3" | "s3a" => amazon(url, settings, bill),
        "gs" => google(url, settings),
        "az" | "abfs" | "abfss" => microsoft(url, settings),
        _ => Err(wrong(url, EXPECTED)),
    }
}

type Stores = HashMap<String, Arc<dyn ObjectStore>>;

fn memories() -> MutexGuard<'static, Stores> {
    static STORES: LazyLock<Mutex<Stores>> = LazyLock::new(Mutex::default);
    STORES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The in-memory store with this name, which lives as long as the process.
fn memory(name: &str) -> Arc<dyn ObjectStore> {
    let mut stores = memories();
    let store = stores.entry(name.to_owned());
    Arc::clone(store.or_insert_with(|| Arc::new(InMemory::new())))
}

/// For tests: replaces the store of `memory://name`, or drops it and its objects with `None`.
#[doc(hidden)]
pub fn set_memory(name: &str, store: Option<Arc<dyn ObjectStore>>) {
    match store {
        Some(store) => memories().insert(name.to_owned(), store),
        None => memories().remove(name),
    };
}

#[cfg(not(all(feature = "aws", feature = "gcp", feature = "azure", feature = "hdfs")))]
fn not_built_in(url: &Url, feature: &str) -> Error {
    let scheme = url.scheme();
    Error::unsupported(format!(
        "checkpoint location '{scheme}://…': this build does not support {scheme}://; build with the cargo \
         feature '{feature}'"
    ))
}

/// One try per request: the query retries transient errors by its own policy.
#[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
fn one_try() -> object_store::RetryConfig {
    object_store::RetryConfig {
        max_retries: 0,
        ..Default::default()
    }
}

#[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
fn built<S: ObjectStore>(
    url: &Url,
    store: object_store::Result<S>,
) -> Result<Arc<dyn ObjectStore>> {
    match store {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => {
            let reason = error.to_string();
            Err(wrong(url, &reason).with_source(error))
        }
    }
}

/// The settings that the store has.
#[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
fn known<Key: std::str::FromStr>(settings: &Settings) -> impl Iterator<Item = (Key, String)> {
    let known = |(name, value): &(&str, String)| Some((name.parse().ok()?, value.clone()));
    settings.iter().filter_map(known)
}

#[cfg(feature = "aws")]
fn amazon(url: &Url, settings: &Settings, bill: &Arc<BillCounter>) -> Result<Arc<dyn ObjectStore>> {
    let builder = object_store::aws::AmazonS3Builder::from_env();
    let access = DefaultAccess::new();
    let builder = builder
        .with_url(url.as_str())
        .with_retry(one_try())
        .with_http_connector(DefaultConnector {
            access: Arc::clone(&access),
            bill: Arc::clone(bill),
        });
    let builder = known(settings).fold(builder, |builder, (key, value)| {
        builder.with_config(key, value)
    });
    let builder = match settings
        .iter()
        .any(|(name, _)| *name == "aws_access_key_id")
    {
        true => builder,
        false => builder.with_credentials(Arc::new(DefaultCredentials(access))),
    };
    built(url, builder.build())
}

#[cfg(not(feature = "aws"))]
fn amazon(url: &Url, _: &Settings, _: &Arc<BillCounter>) -> Result<Arc<dyn ObjectStore>> {
    Err(not_built_in(url, "aws"))
}

#[cfg(feature = "gcp")]
fn google(url: &Url, settings: &Settings) -> Result<Arc<dyn ObjectStore>> {
    let builder = object_store::gcp::GoogleCloudStorageBuilder::from_env();
    let builder = builder.with_url(url.as_str()).with_retry(one_try());
    let builder = known(settings).fold(builder, |builder, (key, value)| {
        builder.with_config(key, value)
    });
    built(url, builder.build())
}

#[cfg(not(feature = "gcp"))]
fn google(url: &Url, _: &Settings) -> Result<Arc<dyn ObjectStore>> {
    Err(not_built_in(url, "gcp"))
}

#[cfg(feature = "azure")]
fn microsoft(url: &Url, settings: &Settings) -> Result<Arc<dyn ObjectStore>> {
    let builder = object_store::azure::MicrosoftAzureBuilder::from_env();
    let builder = builder.with_url(url.as_str()).with_retry(one_try());
    let builder = known(settings).fold(builder, |builder, (key, value)| {
        builder.with_config(key, value)
    });
    built(url, builder.build())
}

#[cfg(not(feature = "azure"))]
fn microsoft(url: &Url, _: &Settings) -> Result<Arc<dyn ObjectStore>> {
    Err(not_built_in(url, "azure"))
}

#[cfg(feature = "hdfs")]
fn hadoop(url: &Url, location: String, path: &Path) -> Result<Arc<dyn Objects>> {
    host(url)?;
    let files = super::hdfs::HdfsFiles::new(location, &format!("/{path}"));
    Ok(Arc::new(files))
}

#[cfg(not(feature = "hdfs"))]
fn hadoop(url: &Url, _: String, _: &Path) -> Result<Arc<dyn Objects>> {
    Err(not_built_in(url, "hdfs"))
}
