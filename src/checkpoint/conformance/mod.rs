//! The contract of [`OffsetCommitter`] as a test suite for any committer, with the feature `conformance`.
//!
//! [`check`] runs every clause on a separate log, and reports the name of the first one that is broken. This
//! crate's committers run the same suite. Run yours in a test on a multi-threaded runtime:
//!
//! ```
//! # use std::sync::Arc;
//! use datafusion_kinesis::checkpoint::{ObjectStoreCommitter, OffsetCommitter, conformance};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), conformance::Violation> {
//! // Opens a handle to the log with this name; a name that was not used before denotes a new, empty log.
//! let open = |log: String| async move {
//!     let committer = ObjectStoreCommitter::open(&format!("memory://conformance/{log}"))?;
//!     Ok(Arc::new(committer) as Arc<dyn OffsetCommitter>)
//! };
//! conformance::check(open).await
//! # }
//! ```

mod entries;
mod epochs;
mod handle;
mod interrupted;
mod purging;
mod queries;
mod races;

use std::fmt;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use self::handle::Handle;
use super::committer::{OffsetCommitter, StoreError};
use crate::error::{Error, Result};

/// A clause of the contract that a committer breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    clause: &'static str,
    reason: String,
}

impl Violation {
    /// The name of the clause, a sentence.
    pub fn clause(&self) -> &str {
        self.clause
    }

    /// What the committer did instead.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the committer breaks the clause '{}': {}",
            self.clause, self.reason
        )
    }
}

impl std::error::Error for Violation {}

/// The names of the clauses, in the order in which [`check`] runs them.
pub fn clauses() -> impl Iterator<Item = &'static str> {
    CLAUSES.iter().map(|(name, _)| *name)
}

/// Checks the whole contract of [`OffsetCommitter`] on the committers that `open` returns.
///
/// `open` gets the name of a log, in lower case letters and hyphens, and returns a new handle to that log;
/// several handles to one log are open at once. Every log must be empty at first, so include something new in
/// the location each time the suite runs. The suite creates a few thousand entries.
///
/// Requests that fail with a [retryable](StoreError::is_retryable) error are sent again, as the contract
/// allows.
///
/// # Errors
/// The first clause that is broken.
pub async fn check<Open, Opened>(open: Open) -> std::result::Result<(), Violation>
where
    Open: Fn(String) -> Opened + Send + Sync + 'static,
    Opened: Future<Output = Result<Arc<dyn OffsetCommitter>>> + Send + 'static,
{
    let open: Opener = Arc::new(move |log| open(log).boxed());
    for (clause, run) in CLAUSES {
        let log = NewLog {
            name: clause.replace(' ', "-"),
            open: Arc::clone(&open),
        };
        run(log)
            .await
            .map_err(|Failure(reason)| Violation { clause, reason })?;
    }
    Ok(())
}

type Opener =
    Arc<dyn Fn(String) -> BoxFuture<'static, Result<Arc<dyn OffsetCommitter>>> + Send + Sync>;

/// A log that only one clause uses.
#[derive(Clone)]
struct NewLog {
    name: String,
    open: Opener,
}

impl NewLog {
    async fn open(&self) -> std::result::Result<Handle, Failure> {
        let committer = (self.open)(self.name.clone()).await?;
        Ok(Handle(committer))
    }
}

/// A description of how a clause is broken.
#[derive(Debug)]
struct Failure(String);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

type Outcome = std::result::Result<(), Failure>;
type Clause = fn(NewLog) -> BoxFuture<'static, Outcome>;

/// Breaks the clause unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($reason:tt)+) => {
        if !$holds {
            return Err($crate::checkpoint::conformance::Failure(format!($($reason)+)));
        }
    };
}
use ensure;

/// Breaks the clause unless `found` is `expected`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers compare values that they have just made"
)]
fn expect<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Outcome {
    ensure!(
        found == expected,
        "{what}: expected {expected:?}, found {found:?}"
    );
    Ok(())
}

const CLAUSES: &[(&str, Clause)] = &[
    ("a new log is empty", |log| entries::new_log(log).boxed()),
    ("an entry is created once and every handle sees it", |log| {
        entries::created_once(log).boxed()
    }),
    ("one of many writers creates an entry", |log| {
        entries::many_writers(log).boxed()
    }),
    ("batches are listed in numerical order", |log| {
        entries::listed_in_order(log).boxed()
    }),
    ("more than a thousand entries are listed in order", |log| {
        entries::many_entries(log).boxed()
    }),
    ("an older writer is fenced", |log| {
        epochs::older_writer(log).boxed()
    }),
    ("epochs are unique and the newest writes", |log| {
        epochs::unique(log).boxed()
    }),
    ("a writer finds out that it is fenced", |log| {
        epochs::newest(log).boxed()
    }),
    ("an epoch is greater than the one it is given", |log| {
        epochs::above(log).boxed()
    }),
    ("an interrupted put leaves a whole entry or none", |log| {
        interrupted::put(log).boxed()
    }),
    ("an interrupted takeover blocks no later one", |log| {
        interrupted::take_epoch(log).boxed()
    }),
    (
        "an interrupted remove leaves a whole entry or none",
        |log| interrupted::remove(log).boxed(),
    ),
    ("a put that is sent twice creates one entry", |log| {
        races::put_twice(log).boxed()
    }),
    ("writers of two epochs create one entry", |log| {
        races::two_epochs(log).boxed()
    }),
    ("no older writer creates entries after a takeover", |log| {
        races::takeover(log).boxed()
    }),
    ("a query resumes from its newest entries", |log| {
        queries::resumes(log).boxed()
    }),
    ("an entry of ten thousand shards is kept whole", |log| {
        queries::large_entry(log).boxed()
    }),
    ("a purge tolerates gaps and can be repeated", |log| {
        purging::gaps(log).boxed()
    }),
    ("a purge never shows a gap or a torn entry", |log| {
        purging::readers(log).boxed()
    }),
];
