//! The interactive shell: statements over several lines, a history, and a few commands of its own.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};

use super::failure::Failure;
use super::output::Output;
use super::redact::holds_credentials;
use super::run::run_statement;
use super::session::Session;
use super::signals::Signals;
use super::statements::{is_complete, split};
use super::{Outcome, say};

const PROMPT: &str = "kinesis> ";
const CONTINUED: &str = "      -> ";
const TABLE_LIMIT: usize = 1000;
const HELP: &str = "\
Statements end with ';' and may take several lines.
  \\d         list the tables
  \\d NAME    list the columns of a table
  \\?  help   this text
  \\q  exit   leave, as does Ctrl-D
Ctrl-C clears the line, or ends the statement that runs: a streaming one behind the batch in
flight, and with a second Ctrl-C at once.";

const UNKNOWN: &str = "no such command; \\? for help";

/// What was typed at an empty prompt, if it is no SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    Quit,
    Help,
    Tables,
    Describe(&'a str),
    Unknown,
}

impl<'a> Word<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let word = line.trim().trim_end_matches(';').trim_end();
        match word.to_ascii_lowercase().as_str() {
            "\\q" | "exit" | "quit" => return Some(Self::Quit),
            "\\?" | "help" => return Some(Self::Help),
            "\\d" => return Some(Self::Tables),
            _ => {}
        }
        let command = word.strip_prefix('\\')?;
        match command.split_once([' ', '\t']) {
            // What was pasted may have several lines.
            Some(("d" | "D", table)) if !table.contains('\n') => {
                Some(Self::Describe(table.trim_start()))
            }
            _ => Some(Self::Unknown),
        }
    }
}

/// Runs until the user leaves.
pub(super) async fn run(session: &Session, output: Output) -> Outcome {
    let mut shell = match Shell::open(history_file()) {
        Ok(shell) => shell,
        Err(error) => {
            say(&format!("cannot use the terminal: {error}"));
            return Outcome::Failed;
        }
    };
    let output = Output {
        table_limit: Some(TABLE_LIMIT),
        ..output
    };
    say("kinesis-sql: SQL on Amazon Kinesis streams; \\? for help");
    loop {
        // Only this thread waits for the terminal; the engine has threads of its own.
        let text = match shell.read() {
            Ok(Some(text)) => text,
            Ok(None) => return Outcome::Done,
            Err(error) => {
                say(&format!("cannot read from the terminal: {error}"));
                return Outcome::Failed;
            }
        };
        let describe;
        let sql = match Word::parse(&text) {
            Some(Word::Quit) => return Outcome::Done,
            Some(Word::Help) => {
                say(HELP);
                continue;
            }
            Some(Word::Unknown) => {
                say(UNKNOWN);
                continue;
            }
            Some(Word::Tables) => "SHOW TABLES",
            Some(Word::Describe(table)) => {
                describe = format!("DESCRIBE {table}");
                &describe
            }
            None => &text,
        };
        if let Some(outcome) = execute(session, sql, output).await {
            return outcome;
        }
    }
}

/// Runs what was typed up to its first error; an outcome means the shell is over.
async fn execute(session: &Session, text: &str, output: Output) -> Option<Outcome> {
    // Heard from here on: a Ctrl-C that came before was meant for something else.
    let mut signals = match Signals::interrupts() {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!("cannot listen to signals: {error}"));
            return Some(Outcome::Failed);
        }
    };
    for statement in split(text) {
        match run_statement(session, &statement, output, &mut signals, &[]).await {
            Ok(()) => {}
            Err(Failure::ClosedPipe) => return Some(Outcome::Done),
            Err(Failure::Stopped(_)) => {
                say("interrupted");
                return None;
            }
            Err(failure) => {
                say(&failure.describe(&statement));
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
}

impl Shell {
    fn open(history: Option<PathBuf>) -> Result<Self, ReadlineError> {
        // The terminal itself, so that stdout can go to a file.
        let config = Config::builder().behavior(Behavior::PreferTerm).build();
        let mut editor = Editor::with_config(config)?;
        let history = history.filter(|path| load(&mut editor, path));
        Ok(Self { editor, history })
    }

    /// A command, or text that ends with a semicolon; `None` when the user leaves.
    fn read(&mut self) -> Result<Option<String>, ReadlineError> {
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { PROMPT } else { CONTINUED };
            match self.editor.readline(prompt) {
                Ok(line) => text.push_str(&line),
                Err(ReadlineError::Interrupted) => {
                    text.clear();
                    continue;
                }
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(error),
            }
            if Word::parse(&text).is_some() || is_complete(&text) {
                self.remember(&text);
                return Ok(Some(text));
            }
            text.push('\n');
        }
    }

    /// A history that cannot be written is no reason to bother anyone between two statements.
    fn remember(&mut self, text: &str) {
        if text.trim().is_empty() || holds_credentials(text) {
            return;
        }
        let added = self.editor.add_history_entry(text.trim_end());
        if let (Ok(true), Some(path)) = (added, &self.history)
            && let Err(error) = self.editor.append_history(path)
        {
            tracing::debug!(%error, "history not written");
        }
    }
}

/// Whether there is a history to go on with, empty at first.
fn load(editor: &mut Editor<(), DefaultHistory>, path: &Path) -> bool {
    let made = path.parent().map(fs::create_dir_all);
    if let Some(Err(error)) = made {
        tracing::debug!(%error, "no history");
        return false;
    }
    if path.exists()
        && let Err(error) = editor.load_history(path)
    {
        tracing::debug!(%error, "no history");
        return false;
    }
    true
}

fn history_file() -> Option<PathBuf> {
    history_file_in(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))
}

fn history_file_in(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // A relative path here is to be ignored, says the XDG specification.
    let state = state.map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(home?.join(".local/state")))?;
    Some(state.join("kinesis-sql/history"))
}

#[cfg(test)]
mod tests;
