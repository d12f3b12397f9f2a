//! The `kinesis-sql` command: arguments in, exit code out.
//!
//! Results go to stdout, everything else to stderr. What a statement does is the library's business;
//! what is here splits files into statements, runs one after the other, and prints.

mod args;
mod console;
mod doctor;
mod embedded;
mod escape;
mod execution;
mod failure;
mod hints;
mod nesting;
mod output;
mod progress;
mod redact;
mod script;
mod session;
mod shell;
mod signals;
mod statements;
mod stdin;

use std::io::{self, IsTerminal};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;

use tokio::runtime::{Builder, Runtime};

use args::{Args, Command, Script, Task};
use console::{log_to_stderr, say};
use failure::Outcome;
use nesting::STACK_BYTES;
use session::Session;

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
