//! Tables of files: formats and places that are not there, in our own words.

use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::sql::parser::{CopyToStatement, CreateExternalTable};
use url::{Position, Url};

use crate::error::{Error, Result};

/// Formats of files that DataFusion can have.
const FILE_FORMATS: [&str; 6] = ["PARQUET", "CSV", "JSON", "NDJSON", "AVRO", "ARROW"];

/// Refuses a table of files in a format or at a place that the session does not have.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported), with what there is.
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
            .try_for_each(|location| refuse_place(state, &what, location)),
        false => Ok(()),
    }
}

/// The same for `COPY … TO`.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported), with what there is.
pub(super) fn refuse_copy(state: &SessionState, copy: &CopyToStatement) -> Result<()> {
    let what = format!("COPY TO '{}'", copy.target);
    let extension = copy.target.rsplit_once('.').map(|(_, extension)| extension);
    let format = copy.stored_as.as_deref().or(extension);
    // A target without an ending is refused by the engine.
    if let Some(format) = format {
        let upper = format.to_ascii_uppercase();
        let of_files = FILE_FORMATS.contains(&upper.as_str());
        if of_files && state.get_file_format_factory(format).is_none() {
            return Err(no_format(state, &what, format, of_files));
        }
    }
    refuse_place(state, &what, &copy.target)
}

fn no_format(state: &SessionState, what: &str, format: &str, of_files: bool) -> Error {
    let there = FILE_FORMATS.into_iter().filter(|format| {
        state.table_factories().contains_key(*format)
            && state.get_file_format_factory(format).is_some()
    });
    let there: Vec<&str> = there.collect();
    let way_out = match of_files {
        true => {
            let feature = format.to_ascii_lowercase();
            format!("; a program has {format} with the feature '{feature}' of the crate datafusion")
        }
        false => String::new(),
    };
    Error::unsupported(format!(
        "{what}: the format '{format}' is not in this build: expected \"aws-kinesis\" for a stream, or {} \
         for files{way_out}",
        there.join(", ")
    ))
}

fn refuse_place(state: &SessionState, what: &str, location: &str) -> Result<()> {
    // A path is none, and neither is a drive.
    let url = Url::parse(location).ok().filter(Url::has_host);
    let Some(url) = url else {
        return Ok(());
    };
    let place = &url[..Position::BeforePath];
    let store = ObjectStoreUrl::parse(place);
    let is_there = store.is_ok_and(|store| state.runtime_env().object_store(store).is_ok());
    if url.scheme() == "file" || is_there {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "{what}: files at {}:// can be neither read nor written yet: expected a path or file:///…, from \
         where another tool can copy the files; in a program SessionContext::register_object_store gives \
         '{place}' a store",
        url.scheme()
    )))
}
