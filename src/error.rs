//! One error type for the crate: its kind says what the caller can do, its message says what happened.
//!
//! The bridge to DataFusion keeps the kind: an [`Error`] travels inside [`DataFusionError::External`]
//! and [`Error::find_in`] gets it back, so nobody matches on text.

mod datafusion;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use ::datafusion::error::DataFusionError;

pub(crate) use self::datafusion::{described, failure, kind_in, plain_words};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Arc<dyn StdError + Send + Sync>;

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A statement, a table option, a start position, an argument or the way to AWS (a proxy, a certificate)
    /// is wrong: change it.
    InvalidOption,
    /// A row cannot be computed (a CAST that fails, an overflow, a division by zero) or cannot become a
    /// Kinesis record (null or empty key, too large). Another run fails the same: change the statement, or
    /// leave such rows out.
    InvalidRow,
    /// The stream, shard or consumer does not exist: create it or correct the name.
    NotFound,
    /// Credentials are missing, expired, or lack a permission: have them corrected.
    AccessDenied,
    /// The service throttled or failed for longer than the retry options allow: run it again later.
    Unavailable,
    /// The statement needs more memory or disk than there is. Another run fails the same: raise the limit,
    /// or ask for less.
    ResourcesExhausted,
    /// A function of the program failed, such as that of `foreach_batch`, or a part of the engine that the
    /// program has added. The message and the [source](std::error::Error::source) are what it said.
    UserFunction,
    /// The statement asks for something this crate does not do: the message names a way out.
    Unsupported,
    /// A newer start of the same query has taken over the checkpoint: leave the field to it.
    Fenced,
    /// The checkpoint cannot be read, or is that of another query: the message names the object and
    /// what to do about it.
    Checkpoint,
    /// Records that were to be read are gone from the stream: decide whether to go on without them.
    DataLoss,
    /// The service or this crate broke its own rules: report it.
    Internal,
}

/// What went wrong, in words, with its [`ErrorKind`] and its cause.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
}

impl Error {
    /// An error of `kind`; `message` names the thing, its value, and what was expected.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Says where it happened, in front of what happened.
    pub(crate) fn in_context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Adds a sentence behind what happened and what to do.
    pub(crate) fn followed_by(mut self, sentence: impl fmt::Display) -> Self {
        self.message = format!("{}. {sentence}", self.message);
        self
    }

    /// A wrong option or argument.
    pub fn invalid_option(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidOption, message)
    }

    /// A row that cannot be written.
    pub fn invalid_row(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRow, message)
    }

    /// Something this crate does not do.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A broken promise of the service or of this crate.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The crate's error inside a DataFusion error, wherever DataFusion has wrapped it.
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
    fn is_found_again_under_any_wrapping_of_datafusion() {
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
    fn is_not_found_where_there_is_none() {
        assert!(Error::find_in(&DataFusionError::Plan("no".into())).is_none());
    }

    #[test]
    fn debug_shows_the_chain_of_causes() {
        let error = Error::internal("outer").with_source(Error::internal("inner"));
        assert_eq!(format!("{error:?}"), "Internal: outer\n  caused by: inner");
    }
}
