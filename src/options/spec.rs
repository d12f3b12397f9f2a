//! The description of one option, from which its parser, default and documentation are derived.

use std::borrow::Cow;

use super::draft::Draft;
use super::value::{Parsed, may_hold_secret};
use crate::error::{Error, Result};

/// The part of a table that an option configures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The table itself: stream, endpoint, credentials, columns.
    Table,
    /// Reading the stream.
    Source,
    /// Writing to the stream.
    Sink,
}

/// The description of one option.
#[derive(Debug)]
#[non_exhaustive]
pub struct OptionSpec {
    /// The name, as in the awslabs Spark connector.
    pub name: &'static str,
    /// The part of the table that it configures.
    pub role: Role,
    /// The default value, if there is a fixed one.
    pub default: Option<&'static str>,
    /// What it does and which values it accepts, as Markdown.
    pub doc: &'static str,
    /// Whether its value must never be shown.
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

/// Shortens a value for a message.
fn shortened(value: &str) -> Cow<'_, str> {
    const LONGEST: usize = 200;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]).into(),
        None => value.into(),
    }
}
