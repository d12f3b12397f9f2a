//! Messages and logs on stderr.

use std::any::Any;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::{Instrument, Span};
use tracing_subscriber::EnvFilter;

use super::escape;
use crate::sql::Variables;

/// The environment variables whose values are not shown.
static HIDDEN: OnceLock<Arc<Variables>> = OnceLock::new();

/// From now on, stderr shows the names of these variables instead of their values.
pub(super) fn hide_values(variables: &Arc<Variables>) {
    // Set only once, by the session of this run.
    let _ = HIDDEN.set(Arc::clone(variables));
}

fn without_values(text: &str) -> Cow<'_, str> {
    match HIDDEN.get() {
        Some(variables) => Cow::Owned(variables.mask(text)),
        None => Cow::Borrowed(text),
    }
}

/// Prints a message to stderr, with control characters escaped. Ignores a closed stderr.
pub(super) fn print_message(message: &str) {
    let message = without_values(message);
    let _ = writeln!(io::stderr(), "{}", escape::lines(&message));
}

/// Prints a message about a successful statement, dimmed on a terminal.
pub(super) fn print_note(message: &str) {
    match io::stderr().is_terminal() {
        true => {
            let message = without_values(message);
            let message = escape::lines(&message);
            let _ = writeln!(io::stderr(), "\x1b[2m{message}\x1b[0m");
        }
        false => print_message(message),
    }
}

pub(super) fn log_to_stderr() {
    // The SDK warns about every source without credentials, and the query runner logs why a query
    // ended. The final error message reports both once. What a choice costs is worth a line without being a warning.
    let default = "warn,aws_config=error,datafusion_kinesis::query::task=off,\
                   datafusion_kinesis::source::pages::subscribed::auto=info";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| WithoutValues(escape::EventWriter(io::stderr())))
        .init();
    // Called only once, so the tracer cannot already be set.
    let _ = set_join_set_tracer(&InSpan);
}

/// Writes log events without the values of variables. An event arrives in one piece.
struct WithoutValues<W>(W);

impl<W: Write> Write for WithoutValues<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.0.write_all(without_values(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Propagates the current span to the engine's tasks, so their log lines name the query.
struct InSpan;

type Outcomes = Box<dyn Any + Send>;

impl JoinSetTracer for InSpan {
    fn trace_future(&self, task: BoxFuture<'static, Outcomes>) -> BoxFuture<'static, Outcomes> {
        task.in_current_span().boxed()
    }

    fn trace_block(
        &self,
        work: Box<dyn FnOnce() -> Outcomes + Send>,
    ) -> Box<dyn FnOnce() -> Outcomes + Send> {
        let span = Span::current();
        Box::new(move || span.in_scope(work))
    }
}
