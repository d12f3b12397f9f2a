//! Commands of the shell, its prompt, and the help for open statements.

use crate::cli::output::Width;
use crate::cli::statements::{Open, open_at_end};

const PROMPT: &str = "kinesis> ";
pub(super) const HELP: &str = "\
Statements end with ';' and may span several lines. The continuation prompt shows what is open:
'-> or \"-> a quote, (-> a parenthesis, *-> a comment, -> the statement.
  \\d            list the tables
  \\d NAME       list the columns of a table
  \\x [on|off]   print each row as a record, with full values
  \\width [N]    maximum width of tables; 0 is unlimited, without N the terminal's width
  \\? help ?     show this help
  \\clear clear  clear the screen
  \\q exit quit  leave the shell, as does Ctrl-D
SHOW CREATE TABLE NAME prints the statement that created a table.
Backslash commands also work on a line of their own within a statement.
Ctrl-C clears the input, or stops the running statement: a streaming one after the batch in
flight, and at once with a second Ctrl-C.";

pub(super) const UNKNOWN: &str = "unknown command; \\? for help";

/// A shell command, typed on a separate line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Quit,
    Help,
    Clear,
    Tables,
    Describe(String),
    /// Turns the expanded view on or off; toggles it without an argument.
    Expanded(Option<bool>),
    Width(Width),
    /// `exit` or `quit` inside an open statement, where it does not leave the shell.
    NotInStatement,
    Unknown,
}

impl Command {
    /// Parses a line at an empty prompt.
    pub(super) fn parse(line: &str) -> Option<Self> {
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
            // Pasted text may have several lines.
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

    /// Parses a line inside an open statement. In a quote or a comment, everything is text.
    pub(super) fn within(open: Open, line: &str) -> Option<Self> {
        if matches!(open, Open::Quote(_) | Open::Comment) {
            return None;
        }
        match Self::parse(line)? {
            Self::Quit if !line.contains('\\') => Some(Self::NotInStatement),
            command => Some(command),
        }
    }
}

/// Explains what is open and how to get out.
pub(super) fn explain_open(open: Open) -> String {
    let what = match open {
        Open::Statement => "the statement is incomplete: ; ends it".to_owned(),
        Open::Parenthesis => "an open parenthesis: ) and ; end the statement".to_owned(),
        Open::Quote(quote) => format!("an open quote: everything up to the next {quote} is text"),
        Open::Comment => "an open comment: everything up to */ is ignored".to_owned(),
    };
    let leave = match open {
        Open::Quote(_) | Open::Comment => "Ctrl-D leaves the shell",
        _ => "\\q leaves the shell",
    };
    format!("{what}; Ctrl-C clears the input, {leave}")
}

pub(super) fn prompt(text: &str) -> String {
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
