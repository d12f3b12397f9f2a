//! The `kinesis-sql` command: parses arguments, runs statements, returns an exit code.
//!
//! Results go to stdout, everything else to stderr. The library defines what a statement does; this
//! module splits files into statements, runs them in order, and prints their results.

mod args;
mod console;
mod consumers;
mod doctor;
mod embedded;
mod escape;
mod execution;
mod export;
mod failure;
mod hints;
mod infer;
mod install;
mod nesting;
mod output;
mod progress;
mod requests;
mod script;
mod session;
mod shell;
mod signals;
mod statements;
mod stdin;
#[cfg(feature = "ui")]
mod ui;

use std::io::{self, IsTerminal};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;

use tokio::runtime::{Builder, Runtime};

use args::{Args, Command, Script, Task};
use console::{log_to_stderr, print_message};
use export::Exports;
use failure::Outcome;
use nesting::STACK_BYTES;
use session::Session;

const NO_SHELL: &str = "--expand-env replaces variables in -f, -c and stdin, not in the shell: give statements with \
    one of these, or leave the option out";

/// Runs the command with the process's arguments.
pub fn main() -> ExitCode {
    let task = Task::from_command_line();
    log_to_stderr();
    // The operating system sets the main thread's stack size, so the work runs on another thread.
    let run = thread::Builder::new().stack_size(STACK_BYTES);
    let outcome = match run.spawn(|| run_task(task)) {
        Ok(running) => running.join().unwrap_or_else(|panic| resume_unwind(panic)),
        Err(error) => {
            print_message(&format!("cannot start the main thread: {error}"));
            Outcome::Failed
        }
    };
    outcome.into()
}

fn run_task(task: Task) -> Outcome {
    // Statements can keep every engine thread busy, so signals are handled on a separate runtime.
    let engine = runtime(Builder::new_multi_thread());
    let front = runtime(Builder::new_current_thread());
    let (engine, front) = match (engine, front) {
        (Ok(engine), Ok(front)) => (engine, front),
        (Err(error), _) | (_, Err(error)) => {
            print_message(&format!("cannot start the runtime: {error}"));
            return Outcome::Failed;
        }
    };
    let outcome = match task.command {
        Some(Command::Doctor(files)) => engine.block_on(doctor::run(&files)),
        Some(Command::Infer(arguments)) => engine.block_on(infer::run(*arguments)),
        Some(Command::Consumers(arguments)) => engine.block_on(consumers::run(&arguments)),
        Some(Command::Completions(arguments)) => install::completions(arguments.shell),
        Some(Command::Man) => install::manual(),
        Some(Command::Embedded(server)) => report(engine.block_on(embedded::serve(&server))),
        Some(Command::Run(run)) => {
            let mode = Mode::SideBySide {
                fails_fast: run.fail_fast,
            };
            run_sql(run.args, mode, &engine, &front)
        }
        None => run_sql(task.args, Mode::InOrder, &engine, &front),
    };
    // Does not wait for interrupted work, which may still be computing or printing.
    engine.shutdown_background();
    front.shutdown_background();
    outcome
}

fn runtime(mut builder: Builder) -> io::Result<Runtime> {
    builder.enable_all().thread_stack_size(STACK_BYTES).build()
}

/// How the statements of scripts run.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// One after the other.
    InOrder,
    /// Streaming queries run at the same time.
    SideBySide { fails_fast: bool },
}

fn run_sql(mut args: Args, mode: Mode, engine: &Runtime, front: &Runtime) -> Outcome {
    // That of the user, not of the embedded server.
    let own_connection = args.connection.clone();
    let _server = if args.embedded {
        match engine.block_on(embedded::start_for_run(&mut args.connection)) {
            Ok(server) => Some(server),
            Err(error) => return report(Err(error)),
        }
    } else {
        None
    };
    let mut session = match Session::open(&args.connection, &args.restart, engine.handle()) {
        Ok(session) => session,
        Err(error) => return report(Err(error)),
    };
    if args.expand_env {
        session.expand_variables();
    }
    if let Some(file) = &args.prices
        && let Err(error) = session.set_prices(file)
    {
        return report(Err(error));
    }
    #[cfg(feature = "ui")]
    let _page = match ui::start(&args.ui, &session) {
        Ok(page) => page,
        Err(error) => return report(Err(error)),
    };
    let exports = Exports::start(&args.export, &session.ctx, own_connection.of_others());
    let exports = match engine.block_on(exports) {
        Ok(exports) => exports,
        Err(error) => return report(Err(error)),
    };
    let output = args.shown.output();
    let outcome = if let Mode::SideBySide { fails_fast } = mode {
        let running = script::run_side_by_side(&session, &args.scripts, output, fails_fast);
        front.block_on(running)
    } else if !args.scripts.is_empty() {
        front.block_on(script::run(&session, &args.scripts, output))
    } else if io::stdin().is_terminal() && args.expand_env {
        print_message(NO_SHELL);
        Outcome::Failed
    } else if io::stdin().is_terminal() {
        front.block_on(shell::run(&session, output))
    } else {
        front.block_on(script::run(&session, &[Script::Stdin], output))
    };
    engine.block_on(exports.stop());
    outcome
}

fn report(result: crate::Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => {
            print_message(&failure::chain(&error));
            Outcome::Failed
        }
    }
}
