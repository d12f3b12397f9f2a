//! Checks the format and location of file tables, and reports what is available instead.

use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::sql::parser::{CopyToStatement, CreateExternalTable};
use url::{Position, Url};

use crate::error::{Error, Result};

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
    let host = &url[..Position::BeforePath];
    let store = ObjectStoreUrl::parse(host);
    let is_available = store.is_ok_and(|store| state.runtime_env().object_store(store).is_ok());
    if url.scheme() == "file" || is_available {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "{what}: {}:// locations are not supported yet: expected a path or a file:/// URL; copy files there \
         with another tool, or, in a program, register a store for '{host}' with \
         SessionContext::register_object_store",
        url.scheme()
    )))
}
