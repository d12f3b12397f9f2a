//! Listeners for query progress events.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::Error;
use crate::model::UnixMillis;
use crate::query::events::StreamingQueryProgress;
use crate::query::health::StreamingQueryHealthChange;
use crate::query::status::QueryEnd;

/// How many events may wait for a listener.
const QUEUED_EVENTS: usize = 1_000;

/// How long the end of a query waits for its listeners.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

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

/// Receives the events of a query, one after another. Apart from [`on_started`](Self::on_started), each listener is
/// called on a thread of its own, so a slow one delays neither the query nor other listeners. It misses events while
/// 1,000 are waiting for it, which is logged as a warning. When the query ends, the listeners have a second for the
/// events that are left before [`StreamingQuery::stop`](crate::query::StreamingQuery::stop) and
/// [`await_termination`](crate::query::StreamingQuery::await_termination) return; later calls follow.
///
/// If a method panics, the panic is logged and the next event is delivered.
pub trait StreamingQueryListener: Send + Sync {
    /// The query has started. Called before `start` returns the handle.
    fn on_started(&self, _event: &StreamingQueryStarted) {}

    /// A batch is committed.
    fn on_progress(&self, _progress: &StreamingQueryProgress) {}

    /// There has been nothing to read for ten seconds. Called again every ten seconds.
    fn on_idle(&self, _event: &StreamingQueryIdle) {}

    /// An alarm was raised or cleared, or the query has failed.
    fn on_health(&self, _event: &StreamingQueryHealthChange) {}

    /// The query has ended. This is the last event.
    fn on_terminated(&self, _event: &StreamingQueryTerminated) {}
}

/// An event for the threads of the listeners.
#[derive(Debug, Clone)]
enum Event {
    Progress(Arc<StreamingQueryProgress>),
    Idle(Arc<StreamingQueryIdle>),
    Health(Arc<StreamingQueryHealthChange>),
    Terminated(Arc<StreamingQueryTerminated>),
    /// Answers that everything before it was delivered.
    Flush(SyncSender<()>),
}

impl Event {
    fn deliver(&self, listener: &dyn StreamingQueryListener) {
        match self {
            Self::Progress(progress) => guard("on_progress", || listener.on_progress(progress)),
            Self::Idle(event) => guard("on_idle", || listener.on_idle(event)),
            Self::Health(event) => guard("on_health", || listener.on_health(event)),
            Self::Terminated(event) => guard("on_terminated", || listener.on_terminated(event)),
            // Nobody waits any more if it took too long.
            Self::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// Calls a method of a listener. A listener gets shared references to events only, so its panic cannot leave the query
/// in an inconsistent state.
fn guard(method: &'static str, call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::warn!(method, "a listener panicked; the query continues");
    }
}

/// The listeners of a query, in the order in which they were added.
#[derive(Default)]
pub(in crate::query) struct Listeners {
    listeners: Vec<Arc<dyn StreamingQueryListener>>,
    /// The queues of their threads, once the query has started.
    queues: Vec<ListenerQueue>,
}

/// The queue of one listener. Its thread ends when the queue is dropped and empty.
struct ListenerQueue {
    events: SyncSender<Event>,
    /// Whether the last event did not fit.
    is_full: AtomicBool,
}

impl Listeners {
    pub(in crate::query) fn add(&mut self, listener: Arc<dyn StreamingQueryListener>) {
        self.listeners.push(listener);
    }

    /// Calls `on_started`, and starts the threads for all other events.
    pub(in crate::query) fn started(&mut self, event: &StreamingQueryStarted) {
        for listener in self.listeners.drain(..) {
            guard("on_started", || listener.on_started(event));
            self.queues.extend(ListenerQueue::start(listener));
        }
    }

    pub(in crate::query) fn progress(&self, progress: &Arc<StreamingQueryProgress>) {
        self.send(&Event::Progress(Arc::clone(progress)));
    }

    pub(in crate::query) fn idle(&self, event: StreamingQueryIdle) {
        self.send(&Event::Idle(Arc::new(event)));
    }

    pub(in crate::query) fn health(&self, event: StreamingQueryHealthChange) {
        self.send(&Event::Health(Arc::new(event)));
    }

    pub(in crate::query) fn terminated(&self, event: StreamingQueryTerminated) {
        self.send(&Event::Terminated(Arc::new(event)));
    }

    fn send(&self, event: &Event) {
        for queue in &self.queues {
            queue.send(event.clone());
        }
    }

    /// Waits until the listeners have received all events so far, up to [`FLUSH_TIMEOUT`].
    pub(in crate::query) async fn flush(&self) {
        let (done, answers) = sync_channel(self.queues.len());
        // A listener whose queue is full would not be done in time.
        let asked = self.queues.iter();
        let asked = asked.filter(|queue| queue.events.try_send(Event::Flush(done.clone())).is_ok());
        let asked = asked.count();
        if asked == 0 {
            return;
        }
        // Listeners run on real time, whatever clock the query has.
        let wait = move || (0..asked).all(|_| answers.recv_timeout(FLUSH_TIMEOUT).is_ok());
        // Fails only if the runtime shuts down.
        let _ = tokio::task::spawn_blocking(wait).await;
    }
}

impl ListenerQueue {
    /// Starts the thread of a listener.
    fn start(listener: Arc<dyn StreamingQueryListener>) -> Option<Self> {
        let (events, queue) = sync_channel::<Event>(QUEUED_EVENTS);
        let name = "query-listener".to_owned();
        let span = tracing::Span::current();
        let runtime = Handle::try_current().ok();
        let started = thread::Builder::new().name(name).spawn(move || {
            let _in_query = span.enter();
            // So that a listener can spawn tasks.
            let _in_runtime = runtime.as_ref().map(Handle::enter);
            for event in queue {
                event.deliver(&*listener);
            }
        });
        if let Err(error) = started {
            tracing::warn!(%error, "cannot start the thread of a listener, which gets no events");
            return None;
        }
        Some(Self {
            events,
            is_full: AtomicBool::new(false),
        })
    }

    fn send(&self, event: Event) {
        let is_full = self.events.try_send(event).is_err();
        if is_full && !self.is_full.swap(is_full, Ordering::Relaxed) {
            tracing::warn!(
                waiting = QUEUED_EVENTS,
                "a listener is slower than the query and misses events"
            );
        }
        if !is_full {
            self.is_full.store(false, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("count", &(self.listeners.len() + self.queues.len()))
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

    /// A listener that waits until it is told to go on.
    struct Slow {
        go_on: Mutex<std::sync::mpsc::Receiver<()>>,
        heard: Arc<Recorder>,
    }

    impl StreamingQueryListener for Slow {
        fn on_idle(&self, event: &StreamingQueryIdle) {
            let _ = self.go_on.lock().unwrap().recv();
            self.heard.on_idle(event);
        }
    }

    fn started() -> StreamingQueryStarted {
        StreamingQueryStarted {
            id: "7".to_owned(),
            run_id: "8".to_owned(),
            name: None,
            timestamp: UnixMillis(9),
        }
    }

    fn idle(id: &str) -> StreamingQueryIdle {
        StreamingQueryIdle {
            id: id.to_owned(),
            run_id: "8".to_owned(),
            name: None,
            timestamp: UnixMillis(9),
        }
    }

    #[tokio::test]
    async fn a_panic_in_a_listener_does_not_affect_the_others() {
        let recorder = Arc::new(Recorder::default());
        let mut listeners = Listeners::default();
        listeners.add(Arc::new(Panics));
        listeners.add(Arc::<Recorder>::clone(&recorder));
        listeners.started(&started());
        listeners.idle(idle("7"));
        listeners.idle(idle("6"));
        listeners.terminated(StreamingQueryTerminated {
            id: "7".to_owned(),
            run_id: "8".to_owned(),
            name: None,
            timestamp: UnixMillis(9),
            end: QueryEnd::Failed,
            error: Some(Arc::new(Error::internal("why"))),
        });
        listeners.flush().await;
        assert_eq!(
            *recorder.0.lock().unwrap(),
            ["idle 7", "idle 6", "ended Some(\"why\")"]
        );
    }

    /// Spawns a task for each event.
    struct Spawns(tokio::sync::mpsc::UnboundedSender<String>);

    impl StreamingQueryListener for Spawns {
        fn on_idle(&self, event: &StreamingQueryIdle) {
            let (sender, id) = (self.0.clone(), event.id.clone());
            tokio::spawn(async move { sender.send(id) });
        }
    }

    #[tokio::test]
    async fn a_listener_can_spawn_tasks() {
        let (sender, mut spawned) = tokio::sync::mpsc::unbounded_channel();
        let mut listeners = Listeners::default();
        listeners.add(Arc::new(Spawns(sender)));
        listeners.started(&started());
        listeners.idle(idle("7"));
        assert_eq!(spawned.recv().await.as_deref(), Some("7"));
    }

    #[tokio::test]
    async fn a_slow_listener_misses_events_and_delays_nobody() {
        let (go_on, receiver) = std::sync::mpsc::channel();
        let heard = Arc::new(Recorder::default());
        let other = Arc::new(Recorder::default());
        let mut listeners = Listeners::default();
        listeners.add(Arc::new(Slow {
            go_on: Mutex::new(receiver),
            heard: Arc::clone(&heard),
        }));
        listeners.add(Arc::<Recorder>::clone(&other));
        listeners.started(&started());
        for number in 0..QUEUED_EVENTS * 3 {
            listeners.idle(idle(&number.to_string()));
            if number % QUEUED_EVENTS == 0 {
                // The fast one keeps up; this does not wait for the slow one.
                while other.0.lock().unwrap().len() <= number {
                    thread::yield_now();
                }
            }
        }
        drop(go_on);
        // Waits for the events that are left.
        while Arc::strong_count(&heard) > 1 {
            drop(std::mem::take(&mut listeners));
            thread::yield_now();
        }
        let heard = heard.0.lock().unwrap().len();
        assert!(
            (QUEUED_EVENTS..=QUEUED_EVENTS + 1).contains(&heard),
            "{heard}"
        );
    }
}
