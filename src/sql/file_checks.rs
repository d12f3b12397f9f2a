//! Checks the format and location of file tables, and reports what is available instead.

use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::sql::parser::{CopyToStatement, CreateExternalTable};
use url::{Position, Url};

use crate::error::{Error, Result};
use crate::stores::{is_store, refuse_credentials_and_query};

/// File formats that DataFusion supports, each with a cargo feature.
const FILE_FORMATS: [&str; 6] = ["PARQUET", "CSV", "JSON", "NDJSON", "AVRO", "ARROW"];

/// Refuses a file table whose format or object store is not available in the session.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported), with what is available.
pub(super) fn refuse_table(state: &SessionState, create: &CreateExternalTable) -> Result<()> {
    let format = create.file_type.to_ascii_uppercase();
    let is_known = state.table_factories().contains_key(&format);
    let of_files = FILE_FORMATS.contains(&format.as_str());
    let what = format!("table '{}'", create.name);
    if !is_known || (of_files && state.get_file_format_factory(&format).is_none()) {
        return Err(no_format(state, &what, &create.file_type, of_files));
    }
    match of_files {
        true => create
            .locations
            .iter()
            .try_for_each(|location| refuse_location(state, &what, location)),
        false => Ok(()),
    }
}

/// Refuses `COPY … TO` a format or object store that is not available in the session.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported), with what is available.
pub(super) fn refuse_copy(state: &SessionState, copy: &CopyToStatement) -> Result<()> {
    let what = format!("COPY TO '{}'", copy.target);
    let extension = copy.target.rsplit_once('.').map(|(_, extension)| extension);
    let format = copy.stored_as.as_deref().or(extension);
    // DataFusion itself refuses a target without a file extension.
    if let Some(format) = format {
        let upper = format.to_ascii_uppercase();
        let of_files = FILE_FORMATS.contains(&upper.as_str());
        if of_files && state.get_file_format_factory(format).is_none() {
            return Err(no_format(state, &what, format, of_files));
        }
        if upper == "AVRO" {
            return Err(Error::unsupported(format!(
                "{what}: files of format AVRO can be read, but not written: expected PARQUET, CSV, JSON or ARROW"
            )));
        }
    }
    refuse_location(state, &what, &copy.target)
}

fn no_format(state: &SessionState, what: &str, format: &str, of_files: bool) -> Error {
    let available = FILE_FORMATS.into_iter().filter(|format| {
        state.table_factories().contains_key(*format)
            && state.get_file_format_factory(format).is_some()
    });
    let available: Vec<&str> = available.collect();
    let hint = match of_files {
        true => {
            let feature = format.to_ascii_lowercase();
            format!(
                "; in a program, enable feature '{feature}' of the datafusion crate for {format}"
            )
        }
        false => String::new(),
    };
    Error::unsupported(format!(
        "{what}: format '{format}' is not available in this build: expected \"aws-kinesis\" for a stream, or \
         {} for files{hint}",
        available.join(", ")
    ))
}

fn refuse_location(state: &SessionState, what: &str, location: &str) -> Result<()> {
    // Paths and Windows drives have no host, and are not checked here.
    let url = Url::parse(location).ok().filter(Url::has_host);
    let Some(url) = url else {
        return Ok(());
    };
    if url.scheme() == "file" {
        return Ok(());
    }
    let place = format!("{what}: location");
    if is_store(url.scheme()) {
        refuse_credentials_and_query(&place, &url)?;
    }
    // Without a user, which may be a secret.
    let host = format!(
        "{}://{}",
        url.scheme(),
        &url[Position::BeforeHost..Position::AfterPort]
    );
    let opened = ObjectStoreUrl::parse(&url[..Position::BeforePath])
        .and_then(|store| state.runtime_env().object_store(store));
    let Err(error) = opened else {
        return Ok(());
    };
    if let Some(own) = Error::find_in(&error) {
        return Err(Error::new(own.kind(), format!("{what}: {own}")));
    }
    let scheme = url.scheme();
    let (others, registry) = match is_store(scheme) {
        true => ("", "give the session a StoreRegistry of this crate, or "),
        false => (", or s3://, gs://, az://, abfss:// or hdfs://", ""),
    };
    Err(Error::unsupported(format!(
        "{what}: this session has no object store for {scheme}:// locations: expected a path or a file:/// \
         URL{others}; in a program, {registry}register a store for '{host}' with \
         SessionContext::register_object_store"
    )))
}
