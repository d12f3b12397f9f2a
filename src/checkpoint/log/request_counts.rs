//! Counts requests to a log, for those who watch a running query.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The requests of one run to its log, tries included.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts {
    answered: AtomicU64,
    failed: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl RequestCounts {
    pub(super) fn count<T>(&self, result: &Result<T, impl fmt::Display>) {
        let Err(error) = result else {
            self.answered.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.failed.fetch_add(1, Ordering::Relaxed);
        let last = self.last_error.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    /// Those that succeeded.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Those that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The last failure.
    pub(crate) fn last_error(&self) -> Option<String> {
        let last = self.last_error.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
