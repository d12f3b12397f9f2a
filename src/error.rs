//! The crate's error type. Its kind says what the caller can do, its message says what happened.
//!
//! Conversion to DataFusion keeps the kind: an [`Error`] travels inside
//! [`DataFusionError::External`], and [`Error::find_in`] finds it again, so no code matches on
//! message text.

mod datafusion;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use ::datafusion::error::DataFusionError;

pub(crate) use self::datafusion::{
    datafusion_kind, describe_datafusion, from_datafusion, strip_bug_report,
};

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Arc<dyn StdError + Send + Sync>;

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A statement, table option, starting position, argument or network setting (proxy,
    /// certificate) is invalid: correct it.
    InvalidOption,
    /// A row cannot be computed (a failed CAST, an overflow, a division by zero) or cannot become a
    /// Kinesis record (null or empty key, too large). A retry fails in the same way: change the
    /// statement or filter out such rows.
    InvalidRow,
    /// The stream, shard or consumer does not exist: create it or correct its name.
    NotFound,
    /// Credentials are missing or expired, or lack a permission: correct them.
    AccessDenied,
    /// The service throttled requests or failed for longer than the retry options allow: try again
    /// later.
    Unavailable,
    /// The statement needs more memory or disk than is available. A retry fails in the same way:
    /// raise the limit or process less data at once.
    ResourcesExhausted,
    /// User code failed, such as a `foreach_batch` function or a DataFusion extension of the
    /// program. The message and the [source](std::error::Error::source) come from that code.
    UserFunction,
    /// The statement requires a feature that this crate does not support: the message names an
    /// alternative.
    Unsupported,
    /// A newer run of the same query has taken over the checkpoint: stop this run.
    Fenced,
    /// The checkpoint cannot be read or belongs to another query: the message names the object and
    /// what to do about it.
    Checkpoint,
    /// Records that the query must read have expired: decide whether to continue without them.
    DataLoss,
    /// The service or this crate violated an invariant: report it.
    Internal,
}

/// An error with a message, an [`ErrorKind`] and an optional cause.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
}

impl Error {
    /// Creates an error. `message` names the thing that is wrong, its value, and what was expected.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Prepends where the error happened.
    pub(crate) fn in_context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Appends a sentence.
    pub(crate) fn followed_by(mut self, sentence: impl fmt::Display) -> Self {
        self.message = format!("{}. {sentence}", self.message);
        self
    }

    /// An invalid option or argument.
    pub fn invalid_option(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidOption, message)
    }

    /// A row that cannot be computed or written.
    pub fn invalid_row(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRow, message)
    }

    /// A feature that this crate does not support.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A violated invariant of the service or this crate.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Finds this crate's error inside a DataFusion error, however DataFusion has wrapped it.
    pub fn find_in(error: &DataFusionError) -> Option<&Self> {
        let mut current: &(dyn StdError + 'static) = error;
        loop {
            if let Some(found) = current.downcast_ref::<Self>() {
                return Some(found);
            }
            current = match current.downcast_ref::<DataFusionError>() {
                Some(DataFusionError::External(inner)) => inner.as_ref(),
                _ => current.source()?,
            };
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_inside_wrapped_datafusion_errors() {
        let inner = DataFusionError::from(Error::invalid_row("row 3"));
        let wrapped = DataFusionError::Context(
            "writing".into(),
            Box::new(DataFusionError::Shared(Arc::new(inner))),
        );
        let found = Error::find_in(&wrapped).expect("our error is inside");
        assert_eq!(found.kind(), ErrorKind::InvalidRow);
        assert_eq!(found.to_string(), "row 3");
    }

    #[test]
    fn other_datafusion_errors_contain_no_error_of_this_crate() {
        assert!(Error::find_in(&DataFusionError::Plan("no".into())).is_none());
    }

    #[test]
    fn debug_output_shows_the_chain_of_causes() {
        let error = Error::internal("outer").with_source(Error::internal("inner"));
        assert_eq!(format!("{error:?}"), "Internal: outer\n  caused by: inner");
    }
}
