//! Listeners for query progress events.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::error::Error;
use crate::model::UnixMillis;
use crate::query::events::StreamingQueryProgress;
use crate::query::status::QueryEnd;

/// A query has started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamingQueryStarted {
    /// The id of the query, the same after every restart.
    pub id: String,
    /// The id of this run.
    pub run_id: String,
    /// The name of the query, if it has one.
    pub name: Option<String>,
    /// When it started.
    pub timestamp: UnixMillis,
}

/// A query has had nothing to read for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamingQueryIdle {
    /// The id of the query, the same after every restart.
    pub id: String,
    /// The id of this run.
    pub run_id: String,
    /// The name of the query, if it has one.
    pub name: Option<String>,
    /// The time of the event.
    pub timestamp: UnixMillis,
}

/// A query has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StreamingQueryTerminated {
    /// The id of the query, the same after every restart.
    pub id: String,
    /// The id of this run.
    pub run_id: String,
    /// The name of the query, if it has one.
    pub name: Option<String>,
    /// When it ended.
    pub timestamp: UnixMillis,
    /// Why it ended.
    pub end: QueryEnd,
    /// The error that ended it; `None` if it was stopped or its trigger finished.
    pub error: Option<Arc<Error>>,
}

/// Receives the events of a query. Methods are called by the task that runs the query, so a slow method
/// delays it.
///
/// If a method panics, the panic is logged and the query continues.
pub trait StreamingQueryListener: Send + Sync {
    /// The query has started. Called before `start` returns the handle.
    fn on_started(&self, _event: &StreamingQueryStarted) {}

    /// A batch is committed.
    fn on_progress(&self, _progress: &StreamingQueryProgress) {}

    /// There has been nothing to read for ten seconds. Called again every ten seconds.
    fn on_idle(&self, _event: &StreamingQueryIdle) {}

    /// The query has ended. This is the last event.
    fn on_terminated(&self, _event: &StreamingQueryTerminated) {}
}

/// The listeners of a query, in the order in which they were added.
#[derive(Clone, Default)]
pub(in crate::query) struct Listeners(Vec<Arc<dyn StreamingQueryListener>>);

impl Listeners {
    pub(in crate::query) fn add(&mut self, listener: Arc<dyn StreamingQueryListener>) {
        self.0.push(listener);
    }

    pub(in crate::query) fn started(&self, event: &StreamingQueryStarted) {
        self.notify("on_started", |listener| listener.on_started(event));
    }

    pub(in crate::query) fn progress(&self, progress: &StreamingQueryProgress) {
        self.notify("on_progress", |listener| listener.on_progress(progress));
    }

    pub(in crate::query) fn idle(&self, event: &StreamingQueryIdle) {
        self.notify("on_idle", |listener| listener.on_idle(event));
    }

    pub(in crate::query) fn terminated(&self, event: &StreamingQueryTerminated) {
        self.notify("on_terminated", |listener| listener.on_terminated(event));
    }

    fn notify(&self, method: &'static str, call: impl Fn(&dyn StreamingQueryListener)) {
        for listener in &self.0 {
            // A listener gets shared references to events only, so its panic cannot leave the query in an
            // inconsistent state.
            if catch_unwind(AssertUnwindSafe(|| call(&**listener))).is_err() {
                tracing::warn!(method, "a listener panicked; the query continues");
            }
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("count", &self.0.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl StreamingQueryListener for Recorder {
        fn on_idle(&self, event: &StreamingQueryIdle) {
            self.0.lock().unwrap().push(format!("idle {}", event.id));
        }

        fn on_terminated(&self, event: &StreamingQueryTerminated) {
            let error = event.error.as_ref().map(|error| error.to_string());
            self.0.lock().unwrap().push(format!("ended {error:?}"));
        }
    }

    struct Panics;

    impl StreamingQueryListener for Panics {
        fn on_idle(&self, _event: &StreamingQueryIdle) {
            panic!("a bug in a listener");
        }
    }

    #[test]
    fn a_panic_in_a_listener_does_not_affect_the_others() {
        let recorder = Arc::new(Recorder::default());
        let mut listeners = Listeners::default();
        listeners.add(Arc::new(Panics));
        listeners.add(Arc::<Recorder>::clone(&recorder));
        let (id, run_id, timestamp) = ("7".to_owned(), "8".to_owned(), UnixMillis(9));
        listeners.idle(&StreamingQueryIdle {
            id: id.clone(),
            run_id: run_id.clone(),
            name: None,
            timestamp,
        });
        listeners.terminated(&StreamingQueryTerminated {
            id,
            run_id,
            name: None,
            timestamp,
            end: QueryEnd::Failed,
            error: Some(Arc::new(Error::internal("why"))),
        });
        assert_eq!(
            *recorder.0.lock().unwrap(),
            ["idle 7", "ended Some(\"why\")"]
        );
    }
}
