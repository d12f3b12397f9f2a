//! The interactive shell: multi-line statements, history, and backslash commands.

mod commands;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};

use super::console::print_message;
use super::execution::run_statement;
use super::failure::{Failure, Outcome};
use super::output::{Output, Width};
use super::session::Session;
use super::signals::Signals;
use super::statements::{is_complete, open_at_end, split};
use crate::options::redact::holds_credentials;
use commands::{Command, HELP, UNKNOWN, explain_open, prompt};

/// Rows of a table that the shell prints.
const TABLE_LIMIT: usize = 1000;

/// What the user typed.
enum Typed {
    Command(Command),
    /// Text that ends with a semicolon.
    Statements(String),
}

/// Runs the shell until the user leaves.
pub(super) async fn run(session: &Session, output: Output) -> Outcome {
    let mut shell = match Shell::open(history_file()) {
        Ok(shell) => shell,
        Err(error) => {
            print_message(&format!("cannot use the terminal: {error}"));
            return Outcome::Failed;
        }
    };
    let mut output = Output {
        table_limit: Some(TABLE_LIMIT),
        ..output
    };
    print_message("kinesis-sql: SQL on Amazon Kinesis streams; \\? for help");
    loop {
        // Only this thread waits for the terminal; the engine has its own threads.
        let text = match shell.read() {
            Ok(Some(Typed::Statements(text))) => text,
            Ok(Some(Typed::Command(command))) => match shell.run_command(command, &mut output) {
                Next::Leave => return Outcome::Done,
                Next::Continue => continue,
                Next::Run(sql) => sql,
            },
            Ok(None) => return Outcome::Done,
            Err(error) => {
                print_message(&format!("cannot read from the terminal: {error}"));
                return Outcome::Failed;
            }
        };
        if let Some(outcome) = execute(session, &text, output).await {
            return outcome;
        }
    }
}

/// What to do after a command.
enum Next {
    Leave,
    Continue,
    Run(String),
}

/// Runs the typed statements up to the first error. Returns an outcome if the shell must end.
async fn execute(session: &Session, text: &str, output: Output) -> Option<Outcome> {
    // Ignores a Ctrl-C from before this point.
    let mut signals = match Signals::interrupts() {
        Ok(signals) => signals,
        Err(error) => {
            print_message(&format!("cannot listen for signals: {error}"));
            return Some(Outcome::Failed);
        }
    };
    for statement in split(text) {
        match run_statement(session, &statement, output, &mut signals, &[]).await {
            Ok(()) => {}
            Err(Failure::ClosedPipe) => return Some(Outcome::Done),
            Err(Failure::Stopped(_)) => {
                print_message("interrupted");
                return None;
            }
            Err(failure) => {
                print_message(&failure.describe(&statement));
                return None;
            }
        }
    }
    None
}

/// The terminal and the history.
struct Shell {
    editor: Editor<(), DefaultHistory>,
    history: Option<PathBuf>,
    /// The lines of an incomplete statement.
    pending: String,
}

impl Shell {
    fn open(history: Option<PathBuf>) -> Result<Self, ReadlineError> {
        // Uses the terminal directly, so that stdout can be redirected.
        let config = Config::builder().behavior(Behavior::PreferTerm).build();
        let mut editor = Editor::with_config(config)?;
        let history = history.filter(|path| load(&mut editor, path));
        let pending = String::new();
        Ok(Self {
            editor,
            history,
            pending,
        })
    }

    /// Reads a command or complete statements; `None` when the user leaves.
    fn read(&mut self) -> Result<Option<Typed>, ReadlineError> {
        loop {
            let line = match self.editor.readline(&prompt(&self.pending)) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => {
                    self.pending.clear();
                    continue;
                }
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(error),
            };
            let command = match self.pending.is_empty() {
                true => Command::parse(&line),
                false => Command::within(open_at_end(&self.pending), &line),
            };
            if let Some(command) = command {
                self.remember(&line);
                return Ok(Some(Typed::Command(command)));
            }
            if !self.pending.is_empty() && Command::parse(&line).is_some() {
                print_message(&explain_open(open_at_end(&self.pending)));
            }
            self.pending.push_str(&line);
            if is_complete(&self.pending) {
                let text = std::mem::take(&mut self.pending);
                self.remember(&text);
                return Ok(Some(Typed::Statements(text)));
            }
            self.pending.push('\n');
        }
    }

    /// Runs a command. Keeps the lines of an incomplete statement.
    fn run_command(&mut self, command: Command, output: &mut Output) -> Next {
        match command {
            Command::Quit => return Next::Leave,
            Command::Tables => return Next::Run("SHOW TABLES".to_owned()),
            Command::Describe(table) => return Next::Run(format!("DESCRIBE {table}")),
            Command::Help => print_message(HELP),
            Command::Unknown => print_message(UNKNOWN),
            Command::NotInStatement => {}
            Command::Clear => {
                if let Err(error) = self.editor.clear_screen() {
                    print_message(&format!("cannot clear the screen: {error}"));
                }
            }
            Command::Expanded(wanted) => {
                output.expanded = wanted.unwrap_or(!output.expanded);
                print_message(match output.expanded {
                    true => "expanded display is on",
                    false => "expanded display is off",
                });
            }
            Command::Width(width) => {
                output.width = width;
                print_message(&match width {
                    Width::Terminal => "table width: terminal width".to_owned(),
                    Width::Columns(columns) => format!("table width: at most {columns} columns"),
                    Width::Unlimited => "table width: unlimited".to_owned(),
                });
            }
        }
        if !self.pending.is_empty() {
            print_message(&explain_open(open_at_end(&self.pending)));
        }
        Next::Continue
    }

    /// Adds text to the history. A write failure is only logged, to not disturb the user.
    fn remember(&mut self, text: &str) {
        if text.trim().is_empty() || holds_credentials(text) {
            return;
        }
        let added = self.editor.add_history_entry(text.trim_end());
        if let (Ok(true), Some(path)) = (added, &self.history)
            && let Err(error) = self.editor.append_history(path)
        {
            tracing::debug!(%error, "cannot write the history");
        }
    }
}

/// Loads the history, or starts an empty one. Returns whether the history file is usable.
fn load(editor: &mut Editor<(), DefaultHistory>, path: &Path) -> bool {
    let created = path.parent().map(fs::create_dir_all);
    if let Some(Err(error)) = created {
        tracing::debug!(%error, "history not available");
        return false;
    }
    if path.exists()
        && let Err(error) = editor.load_history(path)
    {
        tracing::debug!(%error, "history not available");
        return false;
    }
    true
}

fn history_file() -> Option<PathBuf> {
    history_file_in(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))
}

fn history_file_in(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // The XDG specification says to ignore relative paths here.
    let state = state.map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(home?.join(".local/state")))?;
    Some(state.join("kinesis-sql/history"))
}

#[cfg(test)]
mod tests;
