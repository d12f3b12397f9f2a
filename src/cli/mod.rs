//! The `kinesis-sql` command: arguments in, exit code out.
//!
//! Results go to stdout, everything else to stderr. What a statement does is the library's business;
//! what is here splits files into statements, runs one after the other, and prints.

mod args;
mod embedded;
mod failure;
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

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use args::{Args, Command, Task};

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
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("cannot start the runtime: {error}"));
            return Outcome::Failed.into();
        }
    };
    let outcome = runtime.block_on(run(task));
    // A statement that was interrupted may still be computing, and nobody waits for it.
    runtime.shutdown_background();
    outcome.into()
}

async fn run(task: Task) -> Outcome {
    match task.command {
        Some(Command::Embedded(server)) => report(embedded::serve(&server).await),
        None => Box::pin(run_sql(task.args)).await,
    }
}

async fn run_sql(mut args: Args) -> Outcome {
    let _server = if args.embedded {
        match embedded::beside(&mut args.connection).await {
            Ok(server) => Some(server),
            Err(error) => return report(Err(error)),
        }
    } else {
        None
    };
    let ctx = match session::session(&args.connection) {
        Ok(ctx) => ctx,
        Err(error) => return report(Err(error)),
    };
    if !args.scripts.is_empty() {
        script::run(&ctx, &args.scripts, args.output).await
    } else if io::stdin().is_terminal() {
        shell::run(&ctx, args.output).await
    } else {
        script::run(&ctx, &[args::Script::Stdin], args.output).await
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

/// One message on stderr; who has closed stderr does not want it.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
