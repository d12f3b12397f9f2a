//! Who wants to know what a query does.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::error::Error;
use crate::model::UnixMillis;
use crate::query::events::StreamingQueryProgress;
use crate::query::status::QueryEnd;

/// A query has begun to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamingQueryStarted {
    /// The query, the same after a restart.
    pub id: String,
    /// This start of it.
    pub run_id: String,
    /// Its name, where it was given one.
    pub name: Option<String>,
    /// When it began.
    pub timestamp: UnixMillis,
}

/// A query found nothing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamingQueryIdle {
    /// The query, the same after a restart.
    pub id: String,
    /// This start of it.
    pub run_id: String,
    /// Its name, where it was given one.
    pub name: Option<String>,
    /// When it looked.
    pub timestamp: UnixMillis,
}

/// A query has ended.
#[derive(Debug, Clone)]
pub struct StreamingQueryTerminated {
    /// The query, the same after a restart.
    pub id: String,
    /// This start of it.
    pub run_id: String,
    /// Its name, where it was given one.
    pub name: Option<String>,
    /// When it ended.
    pub timestamp: UnixMillis,
    /// Why.
    pub end: QueryEnd,
    /// What ended it; `None` where it was stopped or its trigger was done.
    pub error: Option<Arc<Error>>,
}

/// Is told what a query does, by the task that runs it: a method that takes long holds the query up.
///
/// A method that panics is logged, and the query goes on.
pub trait StreamingQueryListener: Send + Sync {
    /// The query runs; called before the handle is given out.
    fn on_started(&self, _event: &StreamingQueryStarted) {}

    /// A batch is done.
    fn on_progress(&self, _progress: &StreamingQueryProgress) {}

    /// There has been nothing to read for ten seconds; called again every ten seconds.
    fn on_idle(&self, _event: &StreamingQueryIdle) {}

    /// The query has ended; nothing follows.
    fn on_terminated(&self, _event: &StreamingQueryTerminated) {}
}

/// The listeners of one query, in the order they were added.
#[derive(Clone, Default)]
pub(in crate::query) struct Listeners(Vec<Arc<dyn StreamingQueryListener>>);

impl Listeners {
    pub(in crate::query) fn add(&mut self, listener: Arc<dyn StreamingQueryListener>) {
        self.0.push(listener);
    }

    pub(in crate::query) fn started(&self, event: &StreamingQueryStarted) {
        self.tell("on_started", |listener| listener.on_started(event));
    }

    pub(in crate::query) fn progress(&self, progress: &StreamingQueryProgress) {
        self.tell("on_progress", |listener| listener.on_progress(progress));
    }

    pub(in crate::query) fn idle(&self, event: &StreamingQueryIdle) {
        self.tell("on_idle", |listener| listener.on_idle(event));
    }

    pub(in crate::query) fn terminated(&self, event: &StreamingQueryTerminated) {
        self.tell("on_terminated", |listener| listener.on_terminated(event));
    }

    fn tell(&self, method: &'static str, call: impl Fn(&dyn StreamingQueryListener)) {
        for listener in &self.0 {
            // What a listener leaves half done is its own; nothing of the query is in its hands.
            if catch_unwind(AssertUnwindSafe(|| call(&**listener))).is_err() {
                tracing::warn!(method, "a listener panicked; the query goes on");
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
            panic!("a listener of the user");
        }
    }

    #[test]
    fn a_listener_that_panics_keeps_nothing_from_the_others() {
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
