//! Captures what the crate logs while a test runs.

use std::fmt::{Debug, Write};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// The log of this thread, each event as one line.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    level: Level,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Heard {
    /// Captures warnings and errors until the guard is dropped.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        Self::listen_to(Level::WARN)
    }

    /// Captures events of this level and above.
    pub(crate) fn listen_to(level: Level) -> (Self, DefaultGuard) {
        LazyLock::force(&SECOND);
        let lines = Arc::default();
        let heard = Self { level, lines };
        (heard.clone(), set_default(heard))
    }

    /// The lines that contain all of `parts`.
    pub(crate) fn with(&self, parts: &[&str]) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        lines.iter().filter(has_all).cloned().collect()
    }

    /// Whether a line contains all of `parts`.
    pub(crate) fn has(&self, parts: &[&str]) -> bool {
        !self.with(parts).is_empty()
    }
}

/// With a single subscriber, `tracing` would ask only the thread that first comes to a line of code whether somebody
/// listens, and not ask again.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| {
    let lines = Arc::default();
    Dispatch::new(Heard {
        level: Level::ERROR,
        lines,
    })
});

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Line(&mut line));
        self.lines.lock().unwrap().push(line);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
