//! What a row of the table of options is. Parser, defaults, README and tests all read it.

use std::borrow::Cow;

use super::draft::Draft;
use super::value::{Parsed, may_hold_secret};
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
