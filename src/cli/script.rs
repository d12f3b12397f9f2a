//! Runs the statements of files, of `-c` and of stdin, up to the first error.

use std::fs;
use std::io::{self, Read};

use super::args::{Format, Script};
use super::failure::Failure;
use super::output::Output;
use super::run::run_statement;
use super::session::Session;
use super::signals::{Signals, Stop};
use super::statements::{Statement, split};
use super::{Outcome, say};

/// Runs scripts in their order. All are read before the first statement runs, so that a misspelt path costs nothing.
pub(super) async fn run(session: &Session, scripts: &[Script], format: Format) -> Outcome {
    let output = Output {
        format,
        table_limit: None,
    };
    let mut texts = Vec::with_capacity(scripts.len());
    for script in scripts {
        match read(script) {
            Ok(text) => texts.push((script, text)),
            Err(error) => return fail(&format!("{script}: {error}")),
        }
    }
    // From here on: who waits for stdin is still ended by the signals themselves.
    let mut signals = match Signals::all() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot listen to signals: {error}")),
    };
    for (script, text) in texts {
        for statement in split(&text) {
            if let Err(failure) = run_statement(session, &statement, output, &mut signals).await {
                return ended(script, &statement, &failure);
            }
        }
    }
    Outcome::Done
}

fn read(script: &Script) -> io::Result<String> {
    let text = match script {
        Script::File(path) => fs::read_to_string(path)?,
        Script::Text(text) => text.clone(),
        Script::Stdin => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            text
        }
    };
    // Some editors put a byte order mark in front, which is no SQL.
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

fn fail(message: &str) -> Outcome {
    say(message);
    Outcome::Failed
}

fn ended(script: &Script, statement: &Statement, failure: &Failure) -> Outcome {
    let outcome = match failure {
        // As with any command in front of `head`: what was asked for has been delivered.
        Failure::ClosedPipe => return Outcome::Done,
        Failure::Stopped(Stop::Interrupt) => Outcome::Interrupted,
        Failure::Stopped(Stop::Terminate) => Outcome::Terminated,
        Failure::Query(_) | Failure::Output(_) => Outcome::Failed,
    };
    let line = statement.line();
    say(&format!("{script}:{line}: {}", failure.describe(statement)));
    outcome
}
