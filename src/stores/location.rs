//! What a URL of a store may contain.

use url::Url;

use crate::error::{Error, Result};

/// The forms of a location.
pub(crate) const EXPECTED: &str = "expected file:///path, a path, memory://name/path, s3://bucket/path, \
    gs://bucket/path, az://container/path, abfss://container@account.dfs.core.windows.net/path or \
    hdfs://namenode:port/path";

/// Whether URLs of this scheme name an object store.
pub(crate) fn is_store(scheme: &str) -> bool {
    matches!(
        scheme,
        "memory" | "s3" | "s3a" | "gs" | "az" | "abfs" | "abfss" | "hdfs"
    )
}

/// Refuses credentials, a query and a fragment in a URL, without showing them. Errors call the location `what`.
pub(crate) fn refuse_credentials_and_query(what: &str, url: &Url) -> Result<()> {
    // In an Azure URL, the user name is the container.
    let user = !url.username().is_empty() && !matches!(url.scheme(), "abfs" | "abfss");
    if user || url.password().is_some() {
        let found = "contains credentials: remove them; they are read from the environment";
        return Err(wrong(what, url, found));
    }
    if url.query().is_some() || url.fragment().is_some() {
        let found = "expected no '?' and no '#' (in a path: %3F and %23); credentials are read from \
                     the environment";
        return Err(wrong(what, url, found));
    }
    Ok(())
}

/// An error that shows only scheme, host and path.
pub(crate) fn wrong(what: &str, url: &Url, found: &str) -> Error {
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    let path = url.path();
    Error::invalid_option(format!("{what} '{scheme}://{host}{path}': {found}"))
}

/// The host of a URL that must have one.
pub(crate) fn host<'a>(what: &str, url: &'a Url) -> Result<&'a str> {
    let host = url.host_str().filter(|name| !name.is_empty());
    host.ok_or_else(|| wrong(what, url, EXPECTED))
}
