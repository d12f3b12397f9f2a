//! What a row of the table of options is. Parser, defaults, README and tests all read it.

use std::borrow::Cow;
use std::fmt::Write;

use super::draft::Draft;
use super::rows::{NOT_HERE, all};
use super::value::{Parsed, may_hold_secret, nearest};
use crate::error::{Error, Result};

/// Which side of a table an option is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The table itself: stream, endpoint, credentials, columns.
    Table,
    /// Reading it.
    Source,
    /// Writing it.
    Sink,
}

/// One option.
#[derive(Debug)]
pub struct OptionSpec {
    /// Its name, as the awslabs Spark connector writes it.
    pub name: &'static str,
    /// What it is about.
    pub role: Role,
    /// What holds when it is not given; none where nothing sensible does.
    pub default: Option<&'static str>,
    /// What it does and takes, as Markdown.
    pub doc: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
    set: fn(&mut Draft, &str) -> Parsed<()>,
}

impl OptionSpec {
    pub(super) const fn new(
        name: &'static str,
        role: Role,
        default: Option<&'static str>,
        doc: &'static str,
        set: fn(&mut Draft, &str) -> Parsed<()>,
    ) -> Self {
        Self {
            name,
            role,
            default,
            doc,
            secret: false,
            set,
        }
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) fn set(&self, draft: &mut Draft, value: &str) -> Result<()> {
        (self.set)(draft, value).map_err(|expected| {
            let hidden = self.secret || may_hold_secret(value);
            let shown = if hidden {
                "***".into()
            } else {
                shortened(value)
            };
            Error::invalid_option(format!("option '{}' = '{shown}': {expected}", self.name))
        })
    }
}

/// As much of a value as a message has room for.
fn shortened(value: &str) -> Cow<'_, str> {
    const LONGEST: usize = 200;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]).into(),
        None => value.into(),
    }
}

/// The option of this name, without regard to case.
pub(super) fn find(name: &str) -> Result<&'static OptionSpec> {
    let name = name.trim();
    if let Some(option) = all().find(|o| o.name.eq_ignore_ascii_case(name)) {
        return Ok(option);
    }
    if let Some((name, why)) = NOT_HERE.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        return Err(Error::invalid_option(format!("option '{name}' {why}")));
    }
    // DataFusion puts `format.` before a name without a dot.
    let bare = name
        .strip_prefix("format.")
        .map_or_else(|| name.to_owned(), |bare| format!("kinesis.{bare}"));
    let nearest = nearest(&bare, all().map(|option| option.name));
    let shown = name.strip_prefix("format.").unwrap_or(name);
    Err(Error::invalid_option(format!(
        "option '{shown}' is not known: expected an option such as '{nearest}'"
    )))
}

/// The options as a table in Markdown.
pub fn markdown() -> String {
    let mut table = String::from("| Option | For | Default | Meaning |\n|---|---|---|---|\n");
    for option in all() {
        let role = match option.role {
            Role::Table => "both",
            Role::Source => "reading",
            Role::Sink => "writing",
        };
        let default = option
            .default
            .map_or("".to_owned(), |text| format!("`{text}`"));
        writeln!(
            table,
            "| `{}` | {role} | {default} | {} |",
            option.name, option.doc
        )
        .expect("a String takes all that is written to it");
    }
    table
}
