//! Why statements and runs fail, with their messages and exit codes.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use tokio::task::JoinError;

use super::hints;
use super::signals::Stop;
use super::statements::Statement;
use crate::Error;
use crate::error::{describe_datafusion, strip_bug_report};
use crate::options::redact;

const EXCERPT_LINES: usize = 5;
const EXCERPT_COLUMNS: usize = 160;

/// Why a statement did not complete.
#[derive(Debug)]
pub(super) enum Failure {
    /// The statement is invalid, or something it needs failed.
    Query(Box<DataFusionError>),
    /// A signal ended it.
    Stopped(Stop),
    /// The reader of stdout is gone.
    ClosedPipe,
    /// Results could not be written.
    Output(io::Error),
}

impl Failure {
    /// The message and the first lines of the statement, both without the statement's secrets.
    pub(super) fn describe(&self, statement: &Statement) -> String {
        let message = match self {
            Self::Query(_) => redact::message(&self.message(), &statement.text),
            _ => self.message(),
        };
        format!("{message}\n{}", excerpt(&statement.text))
    }

    /// The message.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Query(error) => reason(error),
            Self::Stopped(Stop::Interrupt) => "interrupted".to_owned(),
            Self::Stopped(Stop::Terminate) => "terminated".to_owned(),
            Self::ClosedPipe => "the reader of stdout is gone".to_owned(),
            Self::Output(error) => format!("cannot write the results: {error}"),
        }
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Self::Query(Box::new(error))
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Output(error),
        }
    }
}

/// How a run of the command ended.
///
/// Later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// Every statement succeeded, or the reader of stdout is gone.
    Done,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// A statement failed and was reported.
    Failed,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        // Shells report 128 plus the signal number.
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Interrupted => 130,
            Outcome::Terminated => 143,
        })
    }
}

impl From<&Failure> for Outcome {
    fn from(failure: &Failure) -> Self {
        match failure {
            // A closed pipe is a success, as for any command piped to `head`: the reader needs no
            // more rows.
            Failure::ClosedPipe => Self::Done,
            Failure::Stopped(Stop::Interrupt) => Self::Interrupted,
            Failure::Stopped(Stop::Terminate) => Self::Terminated,
            Failure::Query(_) | Failure::Output(_) => Self::Failed,
        }
    }
}

/// A panicked task as an engine error.
pub(super) fn panicked(error: JoinError) -> DataFusionError {
    DataFusionError::ExecutionJoin(Box::new(error))
}

/// An error and its causes, each message once.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // The engine puts the names of its layers before the message.
        let detail = match error.downcast_ref::<DataFusionError>() {
            Some(error) => self::text(error),
            None => error.to_string(),
        };
        match detail.strip_prefix(&text) {
            Some(more) => text.push_str(more),
            None if text.contains(&detail) => {}
            None => {
                text.push_str(": ");
                text.push_str(&detail);
            }
        }
        cause = error.source();
    }
    text
}

/// The crate's own error if there is one, or the engine's message without the names of its layers.
pub(super) fn reason(error: &DataFusionError) -> String {
    hints::without_parser_setting(&text(error))
}

fn text(error: &DataFusionError) -> String {
    if let Some(own) = Error::find_in(error) {
        return chain(own);
    }
    match error {
        DataFusionError::Context(what, inner) => format!("{what}: {}", text(inner)),
        DataFusionError::Diagnostic(_, inner) => text(inner),
        DataFusionError::Shared(inner) => text(inner),
        DataFusionError::Collection(errors) => {
            let reasons: Vec<_> = errors.iter().map(text).collect();
            reasons.join("\n")
        }
        DataFusionError::Plan(message)
        | DataFusionError::Execution(message)
        | DataFusionError::Configuration(message) => strip_bug_report(message),
        DataFusionError::SQL(error, _) => {
            chain(error).replacen("sql parser error: ", "syntax error: ", 1)
        }
        DataFusionError::SchemaError(error, _) => chain(error),
        DataFusionError::ArrowError(error, _) => chain(error),
        DataFusionError::IoError(error) => chain(error),
        DataFusionError::ObjectStore(error) => chain(error),
        DataFusionError::External(error) => chain(error.as_ref()),
        // Adds advice for some kinds of errors.
        other => describe_datafusion(other).to_string(),
    }
}

/// The first lines of a statement, indented and redacted.
fn excerpt(sql: &str) -> String {
    let sql = redact::statement(sql);
    let mut lines: Vec<String> = sql.lines().take(EXCERPT_LINES).map(shorten).collect();
    if sql.lines().nth(EXCERPT_LINES).is_some() {
        lines.push("    …".to_owned());
    }
    lines.join("\n")
}

fn shorten(line: &str) -> String {
    let line = line.trim_end();
    match line.char_indices().nth(EXCERPT_COLUMNS) {
        Some((end, _)) => format!("    {}…", &line[..end]),
        None => format!("    {line}"),
    }
}

#[cfg(test)]
mod tests;
