//! What the errors of a store mean.

use std::error::Error as StdError;

use object_store::Error as Store;

use crate::aws::ConnectFailure;
use crate::error::{Error, ErrorKind};

/// The advice if credentials are missing or not sufficient.
const ACCESS_DENIED: &str = "access is denied; expected credentials in the environment that may list, \
    read, create and delete objects there (on S3: s3:ListBucket, s3:GetObject, s3:PutObject, \
    s3:DeleteObject)";

/// The advice if the bucket does not exist.
const NO_BUCKET: &str = "the bucket or container does not exist; create it, or correct its name";

/// The advice if the store redirects to another region.
const OTHER_REGION: &str = "the bucket is in another region; expected that region in the environment \
    (AWS_REGION)";

/// The advice if the client refuses to send a request without TLS.
const NO_TLS: &str = "the endpoint is http://; expected https://, or http:// allowed in the environment \
    (on S3: AWS_ALLOW_HTTP=true)";

/// The kind of a permanent error, with an explanation if the cause is known.
pub(crate) fn meaning(error: &Store) -> (Option<ErrorKind>, &'static str) {
    match error {
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
            (Some(ErrorKind::AccessDenied), ACCESS_DENIED)
        }
        // Missing objects are handled earlier, so this is a missing bucket.
        Store::NotFound { .. } => (Some(ErrorKind::NotFound), NO_BUCKET),
        Store::InvalidPath { .. } | Store::UnknownConfigurationKey { .. } => {
            (Some(ErrorKind::InvalidOption), "")
        }
        Store::NotSupported { .. } | Store::NotImplemented { .. } => {
            (Some(ErrorKind::Unsupported), "")
        }
        _ if refused_http(error) => (Some(ErrorKind::InvalidOption), NO_TLS),
        _ if is_misconfigured(error) => (Some(ErrorKind::InvalidOption), ""),
        _ => match status(error) {
            Some(401 | 403) => (Some(ErrorKind::AccessDenied), ACCESS_DENIED),
            Some(404) => (Some(ErrorKind::NotFound), NO_BUCKET),
            Some(301) => (Some(ErrorKind::InvalidOption), OTHER_REGION),
            _ => (None, ""),
        },
    }
}

/// An error and its causes.
fn causes(error: &Store) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
}

/// Whether the connection is misconfigured, for example by an untrusted certificate.
fn is_misconfigured(error: &Store) -> bool {
    let refused = ConnectFailure::find_in(error).is_some_and(|failure| failure.permanent);
    // Errors about the certificate file and other options.
    let ours = causes(error).find_map(|cause| cause.downcast_ref::<Error>());
    refused || ours.is_some_and(|error| error.kind() == ErrorKind::InvalidOption)
}

/// Whether the client refused an `http://` endpoint. Only the text of the error shows it.
fn refused_http(error: &Store) -> bool {
    causes(error).any(|error| error.to_string() == "URL scheme is not allowed")
}

/// The HTTP status that caused an error. The `object_store` crate provides it for single objects only; for
/// listings and deletions this parses the text of the cause, and returns `None` if the text has another form.
fn status(error: &Store) -> Option<u16> {
    causes(error).find_map(|error| {
        let text = error.to_string();
        if text.starts_with("Received redirect without LOCATION") {
            return Some(301);
        }
        let status = text.strip_prefix("Server returned non-2xx status code: ")?;
        status.get(..3)?.parse().ok()
    })
}
