//! Errors of the engine as errors of this crate.

use datafusion::error::DataFusionError;

use super::{Error, ErrorKind};

/// The error of this crate inside `error`, or one that says what the engine said.
pub(crate) fn failure(error: DataFusionError) -> Error {
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
    let kind = match error.find_root() {
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Configuration(_) => ErrorKind::InvalidOption,
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => ErrorKind::InvalidRow,
        DataFusionError::Internal(_) => ErrorKind::Internal,
        // Disks, memory, object stores, functions of the user: what is outside and may come back.
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, error.strip_backtrace()).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_error_of_this_crate_comes_out_as_it_went_in() {
        let plain = failure(
            Error::invalid_row("row 3")
                .with_source(Error::internal("x"))
                .into(),
        );
        assert_eq!(format!("{plain:?}"), "InvalidRow: row 3\n  caused by: x");
        let shared = DataFusionError::Shared(Arc::new(Error::invalid_row("row 3").into()));
        let found = failure(shared.context("writing"));
        assert_eq!(found.kind(), ErrorKind::InvalidRow);
        assert_eq!(found.to_string(), "row 3");
    }

    #[test]
    fn what_the_engine_says_is_kept() {
        let error = failure(DataFusionError::Plan("no column 'x'".into()).context("planning"));
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().contains("no column 'x'"), "{error}");
        let full = failure(DataFusionError::ResourcesExhausted("1 GiB".into()));
        assert_eq!(full.kind(), ErrorKind::Unavailable);
    }
}
