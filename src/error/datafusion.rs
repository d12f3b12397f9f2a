//! Converts DataFusion errors to errors of this crate.

use std::error::Error as StdError;
use std::io;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::object_store::Error as StoreError;

use super::{Error, ErrorKind};

/// Text that DataFusion adds to errors that it considers its own bugs.
const INTERNAL_PREFIX: &str = "Internal error: ";
const BUG_REPORT_REQUEST: &str = "This issue was likely caused by a bug in DataFusion's code. Please help us to \
    resolve this by filing a bug report in our issue tracker: https://github.com/apache/datafusion/issues";

/// The advice if memory or disk is exhausted.
const MORE_RESOURCES: &str = "Raise the limit, for example with SET datafusion.runtime.memory_limit = '4G', or process less data at once";

/// Converts a DataFusion error. Returns this crate's error if there is one inside, else an error
/// with DataFusion's message.
pub(crate) fn from_datafusion(error: DataFusionError) -> Error {
    if let Some(ours) = Error::find_in(&error) {
        let wrapped = Error::new(ours.kind(), ours.to_string());
        return match error {
            DataFusionError::External(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => wrapped.with_source(other),
            },
            other => wrapped.with_source(other),
        };
    }
    describe_datafusion(&error).with_source(error)
}

/// The kind of a DataFusion error, whether it originates in this crate or in DataFusion.
pub(crate) fn datafusion_kind(error: &DataFusionError) -> ErrorKind {
    match Error::find_in(error) {
        Some(ours) => ours.kind(),
        None => kind_of(error.find_root()),
    }
}

/// Describes an error that originates in DataFusion: its message and kind.
pub(crate) fn describe_datafusion(error: &DataFusionError) -> Error {
    let kind = kind_of(error.find_root());
    let message = strip_bug_report(&error.strip_backtrace());
    match kind {
        ErrorKind::ResourcesExhausted if !message.contains("memory_limit") => {
            Error::new(kind, message).followed_by(MORE_RESOURCES)
        }
        ErrorKind::Internal => Error::new(kind, message)
            .in_context("internal error in DataFusion or in this crate; please report it"),
        _ => Error::new(kind, message),
    }
}

/// Removes the text that DataFusion adds to errors that it considers its own bugs, because most of
/// them come from an invalid statement.
pub(crate) fn strip_bug_report(message: &str) -> String {
    let message = message.replace(INTERNAL_PREFIX, "");
    let parts = message.split(BUG_REPORT_REQUEST).map(str::trim_end);
    let mut plain = String::with_capacity(message.len());
    for part in parts {
        plain.push_str(part);
    }
    plain.trim_end().to_owned()
}

/// The kind of `root`, which wraps no further DataFusion error.
fn kind_of(root: &DataFusionError) -> ErrorKind {
    match root {
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::Configuration(_) => ErrorKind::InvalidOption,
        DataFusionError::NotImplemented(_) => ErrorKind::Unsupported,
        // DataFusion's functions return this error for invalid arguments.
        DataFusionError::Execution(_) => ErrorKind::InvalidRow,
        DataFusionError::ArrowError(error, _) => kind_of_arrow(error),
        DataFusionError::ResourcesExhausted(_) => ErrorKind::ResourcesExhausted,
        DataFusionError::IoError(error) => kind_of_io(error),
        DataFusionError::ObjectStore(error) => kind_of_store(error),
        DataFusionError::External(error) => kind_of_external(&**error),
        DataFusionError::Collection(errors) => errors
            .first()
            .map_or(ErrorKind::Internal, |error| kind_of(error.find_root())),
        _ => ErrorKind::Internal,
    }
}

fn kind_of_arrow(error: &ArrowError) -> ErrorKind {
    match error {
        ArrowError::NotYetImplemented(_) => ErrorKind::Unsupported,
        ArrowError::ExternalError(error) => kind_of_external(&**error),
        ArrowError::MemoryError(_) | ArrowError::OffsetOverflowError(_) => {
            ErrorKind::ResourcesExhausted
        }
        ArrowError::IoError(_, error) => kind_of_io(error),
        ArrowError::SchemaError(_)
        | ArrowError::IpcError(_)
        | ArrowError::CDataInterface(_)
        | ArrowError::DictionaryKeyOverflowError
        | ArrowError::RunEndIndexOverflowError => ErrorKind::Internal,
        // CastError, ParseError, ComputeError, DivideByZero, ArithmeticOverflow,
        // InvalidArgumentError and errors of formats: a value is invalid.
        _ => ErrorKind::InvalidRow,
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::AccessDenied
        }
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::OutOfMemory => ErrorKind::ResourcesExhausted,
        _ => ErrorKind::Unavailable,
    }
}

fn kind_of_store(error: &StoreError) -> ErrorKind {
    match error {
        StoreError::NotFound { .. } => ErrorKind::NotFound,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            ErrorKind::AccessDenied
        }
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            ErrorKind::Unsupported
        }
        _ => {
            let mut cause = error.source();
            while let Some(error) = cause {
                if let Some(error) = error.downcast_ref::<io::Error>() {
                    return kind_of_io(error);
                }
                cause = error.source();
            }
            ErrorKind::Unavailable
        }
    }
}

/// The kind of a foreign error. What comes from neither DataFusion nor this crate comes from a
/// function or table of the program.
fn kind_of_external(error: &(dyn StdError + 'static)) -> ErrorKind {
    if let Some(error) = error.downcast_ref::<ArrowError>() {
        return kind_of_arrow(error);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return kind_of_io(error);
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return kind_of_store(error);
    }
    ErrorKind::UserFunction
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_error_of_this_crate_is_returned_unchanged() {
        let plain = from_datafusion(
            Error::invalid_row("row 3")
                .with_source(Error::internal("x"))
                .into(),
        );
        assert_eq!(format!("{plain:?}"), "InvalidRow: row 3\n  caused by: x");
        let shared = DataFusionError::Shared(Arc::new(Error::invalid_row("row 3").into()));
        let found = from_datafusion(shared.context("writing"));
        assert_eq!(found.kind(), ErrorKind::InvalidRow);
        assert_eq!(found.to_string(), "row 3");
    }

    #[test]
    fn the_message_of_datafusion_is_kept() {
        let error =
            from_datafusion(DataFusionError::Plan("no column 'x'".into()).context("planning"));
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().contains("no column 'x'"), "{error}");
    }

    #[test]
    fn errors_map_to_kinds() {
        let io = |kind: io::ErrorKind| DataFusionError::IoError(kind.into());
        let store = |error| DataFusionError::ObjectStore(Box::new(error));
        let arrow = |error| DataFusionError::ArrowError(Box::new(error), None);
        let path = String::from("bucket/key");
        for (error, kind) in [
            (
                DataFusionError::NotImplemented("x".into()),
                ErrorKind::Unsupported,
            ),
            (
                DataFusionError::Execution("bad argument".into()),
                ErrorKind::InvalidRow,
            ),
            (
                arrow(ArrowError::CastError("'abc'".into())),
                ErrorKind::InvalidRow,
            ),
            (arrow(ArrowError::DivideByZero), ErrorKind::InvalidRow),
            (
                arrow(ArrowError::OffsetOverflowError(5)),
                ErrorKind::ResourcesExhausted,
            ),
            (
                arrow(ArrowError::SchemaError("x".into())),
                ErrorKind::Internal,
            ),
            (
                arrow(ArrowError::ExternalError("error of a function".into())),
                ErrorKind::UserFunction,
            ),
            (
                DataFusionError::ResourcesExhausted("1 GiB".into()),
                ErrorKind::ResourcesExhausted,
            ),
            (
                io(io::ErrorKind::StorageFull),
                ErrorKind::ResourcesExhausted,
            ),
            (io(io::ErrorKind::PermissionDenied), ErrorKind::AccessDenied),
            (io(io::ErrorKind::ConnectionReset), ErrorKind::Unavailable),
            (
                store(StoreError::NotFound {
                    path,
                    source: "gone".into(),
                }),
                ErrorKind::NotFound,
            ),
            (
                store(StoreError::Generic {
                    store: "LocalFileSystem",
                    source: Box::new(io::Error::from(io::ErrorKind::StorageFull)),
                }),
                ErrorKind::ResourcesExhausted,
            ),
            (
                DataFusionError::External("error of the program".into()),
                ErrorKind::UserFunction,
            ),
            (DataFusionError::Internal("x".into()), ErrorKind::Internal),
        ] {
            let text = error.to_string();
            let shared = DataFusionError::Shared(Arc::new(error)).context("somewhere");
            assert_eq!(from_datafusion(shared).kind(), kind, "{text}");
        }
    }

    #[test]
    fn exhausted_memory_names_the_setting_once() {
        let full = from_datafusion(DataFusionError::ResourcesExhausted("1 GiB".into()));
        assert!(full.to_string().contains("memory_limit"), "{full}");
        let advised = from_datafusion(DataFusionError::ResourcesExhausted(
            "1 GiB. Raise datafusion.runtime.memory_limit".into(),
        ));
        assert_eq!(
            advised.to_string().matches("memory_limit").count(),
            1,
            "{advised}"
        );
    }

    #[test]
    fn the_request_to_report_a_bug_to_datafusion_is_removed() {
        let message = DataFusionError::Internal("no store for s3://bucket".into()).to_string();
        assert!(
            message.contains("bug"),
            "DataFusion asks for a bug report: {message}"
        );
        assert_eq!(strip_bug_report(&message), "no store for s3://bucket.");
        let nested = DataFusionError::Plan(format!("{message}. No function matches")).to_string();
        let plain = strip_bug_report(&nested);
        assert!(
            !plain.contains("bug") && plain.contains("No function matches"),
            "{plain}"
        );
    }
}
