//! The `kinesis-sql` command: arguments in, exit code out.
//!
//! Results go to stdout, everything else to stderr. What a statement does is the library's business;
//! what is here splits files into statements, runs one after the other, and prints.

mod args;
mod behind;
mod depth;
mod doctor;
mod embedded;
mod escape;
mod failure;
mod hints;
mod interruptible;
mod line;
mod live;
mod output;
mod progress;
mod readable;
mod redact;
mod run;
mod script;
mod session;
mod shell;
mod signals;
mod statements;
mod stdin;
mod streaming;

use std::any::Any;
use std::io::{self, IsTerminal, Write};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Runtime};
use tracing::{Instrument, Span};
use tracing_subscriber::EnvFilter;

use args::{Args, Command, Script, Task};
use depth::STACK_BYTES;
use session::Session;

/// How a run of the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Every statement ran, or nobody reads the results any more.
    Done,
    /// A statement failed, and was reported.
    Failed,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        // A shell says 128 plus the signal's number.
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Interrupted => 130,
            Outcome::Terminated => 143,
        })
    }
}

/// Runs the command with the arguments of the process.
pub fn main() -> ExitCode {
    let task = Task::from_command_line();
    log_to_stderr();
    // The stack of the first thread is as large as the system has it.
    let run = thread::Builder::new().stack_size(STACK_BYTES);
    let outcome = match run.spawn(|| run_task(task)) {
        Ok(running) => running.join().unwrap_or_else(|panic| resume_unwind(panic)),
        Err(error) => {
            say(&format!("cannot start a thread: {error}"));
            Outcome::Failed
        }
    };
    outcome.into()
}

fn run_task(task: Task) -> Outcome {
    // Two runtimes: statements can keep every thread of the engine busy, and signals must be heard all the same.
    let engine = runtime(Builder::new_multi_thread());
    let front = runtime(Builder::new_current_thread());
    let (engine, front) = match (engine, front) {
        (Ok(engine), Ok(front)) => (engine, front),
        (Err(error), _) | (_, Err(error)) => {
            say(&format!("cannot start the runtime: {error}"));
            return Outcome::Failed;
        }
    };
    let outcome = match task.command {
        Some(Command::Doctor(files)) => engine.block_on(doctor::run(&files)),
        Some(Command::Embedded(server)) => report(engine.block_on(embedded::serve(&server))),
        None => run_sql(task.args, &engine, &front),
    };
    // What was interrupted may still be computing or printing, and nobody waits for it.
    engine.shutdown_background();
    front.shutdown_background();
    outcome
}

fn runtime(mut builder: Builder) -> io::Result<Runtime> {
    builder.enable_all().thread_stack_size(STACK_BYTES).build()
}

fn run_sql(mut args: Args, engine: &Runtime, front: &Runtime) -> Outcome {
    let _server = if args.embedded {
        match engine.block_on(embedded::beside(&mut args.connection)) {
            Ok(server) => Some(server),
            Err(error) => return report(Err(error)),
        }
    } else {
        None
    };
    let session = match Session::open(&args.connection, engine.handle()) {
        Ok(session) => session,
        Err(error) => return report(Err(error)),
    };
    if !args.scripts.is_empty() {
        front.block_on(script::run(&session, &args.scripts, args.shown()))
    } else if io::stdin().is_terminal() {
        front.block_on(shell::run(&session, args.shown()))
    } else {
        front.block_on(script::run(&session, &[Script::Stdin], args.shown()))
    }
}

fn report(result: crate::Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => {
            say(&failure::chain(&error));
            Outcome::Failed
        }
    }
}

/// One message on stderr, in which nothing steers the terminal; who has closed stderr does not want it.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{}", escape::lines(message));
}

/// A message about a statement that went well; on a terminal it is dim.
fn note(message: &str) {
    match io::stderr().is_terminal() {
        true => {
            let message = escape::lines(message);
            let _ = writeln!(io::stderr(), "\x1b[2m{message}\x1b[0m");
        }
        false => say(message),
    }
}

fn log_to_stderr() {
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
