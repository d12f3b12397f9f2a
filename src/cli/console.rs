//! Messages and logs on stderr.

use std::any::Any;
use std::io::{self, IsTerminal, Write};

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::{Instrument, Span};
use tracing_subscriber::EnvFilter;

use super::escape;

/// One message on stderr, in which nothing steers the terminal; who has closed stderr does not want it.
pub(super) fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{}", escape::lines(message));
}

/// A message about a statement that went well; on a terminal it is dim.
pub(super) fn note(message: &str) {
    match io::stderr().is_terminal() {
        true => {
            let message = escape::lines(message);
            let _ = writeln!(io::stderr(), "\x1b[2m{message}\x1b[0m");
        }
        false => say(message),
    }
}

pub(super) fn log_to_stderr() {
    // The SDK warns of every place where it finds no credentials, and the runner of a query tells why it ended; the
    // error at the end says it once.
    let default = "warn,aws_config=error,datafusion_kinesis::query::runner=off";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| escape::EventWriter(io::stderr()))
        .init();
    // It is set once, here, and so is not set before.
    let _ = set_join_set_tracer(&InSpan);
}

/// Lets what the engine's tasks log name the query that they work for.
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
