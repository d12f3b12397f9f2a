//! The channel from handles to the running query: stop requests, waiting for it to catch up, and its
//! result.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot, watch};

use crate::error::{Error, Result};
use crate::model::UnixMillis;
use crate::query::status::QueryEnd;

/// The stop that a handle requests. Later variants override earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::query) enum StopRequest {
    /// Keep running.
    None,
    /// Stop after the batch in flight.
    AfterBatch,
    /// Stop immediately, as a crash would.
    Now,
}

/// A caller that waits until everything that arrived before a time is committed.
#[derive(Debug)]
struct CatchUp {
    before: UnixMillis,
    done: oneshot::Sender<()>,
}

/// Requests of the handles to a running query, and its result.
#[derive(Debug)]
pub(in crate::query) struct Control {
    stop: watch::Sender<StopRequest>,
    result: watch::Sender<Option<Result<QueryEnd, Arc<Error>>>>,
    catch_ups: Mutex<Vec<CatchUp>>,
    catch_up_requested: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control {
    pub(in crate::query) fn new() -> Self {
        Self {
            stop: watch::Sender::new(StopRequest::None),
            result: watch::Sender::new(None),
            catch_ups: Mutex::default(),
            catch_up_requested: Notify::new(),
        }
    }

    /// Requests a stop. A request is never withdrawn or weakened.
    pub(super) fn request_stop(&self, request: StopRequest) {
        self.stop.send_if_modified(|current| {
            let stronger = request > *current;
            *current = request.max(*current);
            stronger
        });
    }

    /// Whether any stop was requested.
    pub(in crate::query) fn is_stop_requested(&self) -> bool {
        *self.stop.borrow() >= StopRequest::AfterBatch
    }

    /// Resolves once a stop at least as strong as `request` is requested.
    pub(in crate::query) async fn stop_requested(&self, request: StopRequest) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as `self`, so this cannot fail.
        let _ = stop.wait_for(|current| *current >= request).await;
    }

    /// Publishes the result of the query. Only the first call counts.
    pub(in crate::query) fn finish(&self, result: Result<QueryEnd, Arc<Error>>) {
        self.result.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(result);
            }
            first
        });
        lock(&self.catch_ups).clear();
    }

    /// The result; `None` while the query runs.
    pub(in crate::query) fn result(&self) -> Option<Result<QueryEnd, Arc<Error>>> {
        self.result.borrow().clone()
    }

    /// Waits for the query to end.
    ///
    /// # Errors
    /// The error that ended the query.
    pub(in crate::query) async fn wait_for_end(&self) -> Result<()> {
        let mut result = self.result.subscribe();
        match result.wait_for(Option::is_some).await {
            Ok(result) => match &*result {
                Some(Err(error)) => Err(Error::clone(error)),
                _ => Ok(()),
            },
            Err(_) => Err(Error::internal("a query ended without a result")),
        }
    }

    /// Waits until everything that arrived before `time` is committed. Returns `false` if the query ended
    /// first.
    ///
    /// # Errors
    /// The error that ended the query.
    pub(super) async fn wait_for_catch_up(&self, time: UnixMillis) -> Result<bool> {
        let (done, waiting) = oneshot::channel();
        lock(&self.catch_ups).push(CatchUp { before: time, done });
        if self.result().is_some() {
            lock(&self.catch_ups).clear();
        }
        self.catch_up_requested.notify_one();
        if waiting.await.is_ok() {
            return Ok(true);
        }
        self.wait_for_end().await?;
        Ok(false)
    }

    /// Resolves when a caller has started to wait for the query to catch up.
    pub(in crate::query) async fn catch_up_requested(&self) {
        self.catch_up_requested.notified().await;
    }

    /// Whether a caller waits for the query to catch up.
    pub(in crate::query) fn has_catch_up_waiters(&self) -> bool {
        !lock(&self.catch_ups).is_empty()
    }

    /// Wakes the callers whose time satisfies `is_caught_up`.
    pub(in crate::query) fn answer_catch_ups(&self, is_caught_up: impl Fn(UnixMillis) -> bool) {
        let mut waiting = lock(&self.catch_ups);
        for catch_up in waiting.extract_if(.., |waiting| is_caught_up(waiting.before)) {
            // The receiver is gone if the caller stopped waiting.
            let _ = catch_up.done.send(());
        }
    }
}
