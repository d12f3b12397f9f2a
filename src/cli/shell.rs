//! The interactive shell: statements over several lines, a history, and a few commands of its own.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};

use super::console::say;
use super::execution::run_statement;
use super::failure::{Failure, Outcome};
use super::output::{Output, Width};
use super::redact::holds_credentials;
use super::session::Session;
use super::signals::Signals;
use super::statements::{Open, is_complete, open_at_end, split};

const PROMPT: &str = "kinesis> ";
const TABLE_LIMIT: usize = 1000;
const HELP: &str = "\
Statements end with ';' and may take several lines. The prompt of a further line shows what is open:
'-> or \"-> a quote, (-> a parenthesis, *-> a comment, -> the statement.
  \\d            list the tables
  \\d NAME       list the columns of a table
  \\x [on|off]   print each row as a record, with its whole values
  \\width [N]    the widest that tables get; 0 cuts nothing, without N the width of the terminal
  \\? help ?     this text
  \\clear clear  clear the screen
  \\q exit quit  leave, as does Ctrl-D
SHOW CREATE TABLE NAME gives the statement that has made a table.
What begins with \\ works on a line of its own within a statement, too.
Ctrl-C clears the statement, or ends the one that runs: a streaming one behind the batch in
flight, and with a second Ctrl-C at once.";

const UNKNOWN: &str = "no such command; \\? for help";

/// What was typed on a line of its own, if it is no SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Quit,
    Help,
    Clear,
    Tables,
    Describe(String),
    /// The expanded view: on, off, or what it is not.
    Expanded(Option<bool>),
    Width(Width),
    /// A word that would leave the shell, were it not for the statement that is open.
    NotHere,
    Unknown,
}

impl Word {
    /// At an empty prompt.
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim().trim_end_matches(';').trim_end();
        match line.to_ascii_lowercase().as_str() {
            "exit" | "quit" => return Some(Self::Quit),
            "help" | "?" => return Some(Self::Help),
            "clear" => return Some(Self::Clear),
            _ => {}
        }
        let command = line.strip_prefix('\\')?;
        let (name, argument) = command.split_once([' ', '\t']).unwrap_or((command, ""));
        let argument = argument.trim();
        Some(match (name.to_ascii_lowercase().as_str(), argument) {
            ("q", "") => Self::Quit,
            ("?" | "h", "") => Self::Help,
            ("clear", "") => Self::Clear,
            ("d" | "dt", "") => Self::Tables,
            // What was pasted may have several lines.
            ("d", table) if !table.contains('\n') => Self::Describe(table.to_owned()),
            ("x", "") => Self::Expanded(None),
            ("x", "on") => Self::Expanded(Some(true)),
            ("x", "off") => Self::Expanded(Some(false)),
            ("width", "") => Self::Width(Width::Terminal),
            ("width", columns) => match columns.parse() {
                Ok(columns) => Self::Width(Some(columns).into()),
                Err(_) => Self::Unknown,
            },
            _ => Self::Unknown,
        })
    }

    /// Behind the beginning of a statement. In a quote or a comment everything is text.
    fn within(open: Open, line: &str) -> Option<Self> {
        if matches!(open, Open::Quote(_) | Open::Comment) {
            return None;
        }
        match Self::parse(line)? {
            Self::Quit if !line.contains('\\') => Some(Self::NotHere),
            word => Some(word),
        }
    }
}

/// What is open, and the ways out.
fn explain(open: Open) -> String {
    let what = match open {
        Open::Statement => "the statement goes on: ; ends it".to_owned(),
        Open::Parenthesis => "a ( is open: ) and ; end the statement".to_owned(),
        Open::Quote(quote) => format!("a {quote} is open, and all up to the next {quote} is text"),
        Open::Comment => "a /* is open, and all up to */ is a comment".to_owned(),
    };
    let leave = match open {
        Open::Quote(_) | Open::Comment => "Ctrl-D leaves",
        _ => "\\q leaves",
    };
    format!("{what}; Ctrl-C clears it, {leave}")
}

fn prompt(text: &str) -> String {
    if text.is_empty() {
        return PROMPT.to_owned();
    }
    let open = match open_at_end(text) {
        Open::Statement => ' ',
        Open::Parenthesis => '(',
        Open::Quote(quote) => quote,
        Open::Comment => '*',
    };
    format!("     {open}-> ")
}

/// What was typed.
enum Typed {
    Word(Word),
    /// Text that ends with a semicolon.
    Statements(String),
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
    let mut output = Output {
        table_limit: Some(TABLE_LIMIT),
        ..output
    };
    say("kinesis-sql: SQL on Amazon Kinesis streams; \\? for help");
    loop {
        // Only this thread waits for the terminal; the engine has threads of its own.
        let text = match shell.read() {
            Ok(Some(Typed::Statements(text))) => text,
            Ok(Some(Typed::Word(word))) => match shell.answer(word, &mut output) {
                Answer::Leave => return Outcome::Done,
                Answer::Said => continue,
                Answer::Run(sql) => sql,
            },
            Ok(None) => return Outcome::Done,
            Err(error) => {
                say(&format!("cannot read from the terminal: {error}"));
                return Outcome::Failed;
            }
        };
        if let Some(outcome) = execute(session, &text, output).await {
            return outcome;
        }
    }
}

/// What a command comes to.
enum Answer {
    Leave,
    Said,
    Run(String),
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
    /// The lines of a statement that has no end yet.
    begun: String,
}

impl Shell {
    fn open(history: Option<PathBuf>) -> Result<Self, ReadlineError> {
        // The terminal itself, so that stdout can go to a file.
        let config = Config::builder().behavior(Behavior::PreferTerm).build();
        let mut editor = Editor::with_config(config)?;
        let history = history.filter(|path| load(&mut editor, path));
        let begun = String::new();
        Ok(Self {
            editor,
            history,
            begun,
        })
    }

    /// A command, or text that ends with a semicolon; `None` when the user leaves.
    fn read(&mut self) -> Result<Option<Typed>, ReadlineError> {
        loop {
            let line = match self.editor.readline(&prompt(&self.begun)) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => {
                    self.begun.clear();
                    continue;
                }
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(error),
            };
            let word = match self.begun.is_empty() {
                true => Word::parse(&line),
                false => Word::within(open_at_end(&self.begun), &line),
            };
            if let Some(word) = word {
                self.remember(&line);
                return Ok(Some(Typed::Word(word)));
            }
            if !self.begun.is_empty() && Word::parse(&line).is_some() {
                say(&explain(open_at_end(&self.begun)));
            }
            self.begun.push_str(&line);
            if is_complete(&self.begun) {
                let text = std::mem::take(&mut self.begun);
                self.remember(&text);
                return Ok(Some(Typed::Statements(text)));
            }
            self.begun.push('\n');
        }
    }

    /// Does what a command says; what was begun of a statement stays.
    fn answer(&mut self, word: Word, output: &mut Output) -> Answer {
        match word {
            Word::Quit => return Answer::Leave,
            Word::Tables => return Answer::Run("SHOW TABLES".to_owned()),
            Word::Describe(table) => return Answer::Run(format!("DESCRIBE {table}")),
            Word::Help => say(HELP),
            Word::Unknown => say(UNKNOWN),
            Word::NotHere => {}
            Word::Clear => {
                if let Err(error) = self.editor.clear_screen() {
                    say(&format!("cannot clear the screen: {error}"));
                }
            }
            Word::Expanded(wanted) => {
                output.expanded = wanted.unwrap_or(!output.expanded);
                say(match output.expanded {
                    true => "each row is printed as a record",
                    false => "rows are printed as tables",
                });
            }
            Word::Width(width) => {
                output.width = width;
                say(&match width {
                    Width::Terminal => "tables are as wide as the terminal".to_owned(),
                    Width::Columns(columns) => format!("tables are {columns} columns wide at most"),
                    Width::Unlimited => "no table is cut".to_owned(),
                });
            }
        }
        if !self.begun.is_empty() {
            say(&explain(open_at_end(&self.begun)));
        }
        Answer::Said
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
