//! Collects options by name.

use super::catalog::find;
use super::draft::Draft;
use super::position::UnresolvedPosition;
use super::{CheckedOptions, OptionSpec, all};
use crate::error::{Error, Result};
use crate::model::{StartingPosition, StreamIdentity};

/// Collects options by name in any order, then checks them together.
#[derive(Debug, Clone)]
pub(crate) struct OptionsBuilder {
    draft: Draft,
    given: Vec<&'static str>,
}

impl Default for OptionsBuilder {
    fn default() -> Self {
        let mut draft = Draft::default();
        for option in all() {
            if let Some(default) = option.default {
                option
                    .set(&mut draft, default)
                    .expect("a test parses every default");
            }
        }
        Self {
            draft,
            given: Vec::new(),
        }
    }
}

impl OptionsBuilder {
    /// Sets one option; names are matched ignoring case.
    ///
    /// # Errors
    /// The name is unknown (the message suggests the nearest known one), was already set, or does
    /// not accept `value`.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let option = find(name)?;
        self.give(option)?;
        option.set(&mut self.draft, value)
    }

    fn give(&mut self, option: &OptionSpec) -> Result<()> {
        if self.given.contains(&option.name) {
            return Err(Error::invalid_option(format!(
                "option '{}' is given twice",
                option.name
            )));
        }
        self.given.push(option.name);
        Ok(())
    }

    /// Sets `kinesis.startingPosition`.
    ///
    /// # Errors
    /// It was already set.
    pub(super) fn set_starting_position(&mut self, position: &StartingPosition) -> Result<()> {
        self.give(find("kinesis.startingPosition")?)?;
        let position = UnresolvedPosition::AllShards(position.clone());
        self.draft.starting_position = Some(position);
        Ok(())
    }

    /// Sets the stream from LOCATION.
    ///
    /// # Errors
    /// `location` is not a stream name or ARN, or contradicts option `kinesis.streamName`.
    pub(crate) fn set_location(&mut self, location: &str) -> Result<()> {
        let stream = StreamIdentity::parse(location)
            .map_err(|error| Error::invalid_option(format!("LOCATION: {error}")))?;
        match &self.draft.stream {
            Some(other) if other.name() != stream.name() => Err(Error::invalid_option(format!(
                "LOCATION names stream '{stream}', but option 'kinesis.streamName' names '{other}': \
                 expected the same stream, or only one of them"
            ))),
            Some(other) if other.arn().is_some() => Ok(()),
            _ => {
                self.draft.stream = Some(stream);
                Ok(())
            }
        }
    }

    /// Marks the table as unbounded: it starts at records that arrive from now on, unless an option
    /// says otherwise.
    pub(crate) fn unbounded(&mut self) {
        self.draft.unbounded = true;
    }

    /// Checks the options together.
    ///
    /// # Errors
    /// No stream is named, credentials are incomplete, or options contradict each other.
    pub(crate) fn finish(self) -> Result<CheckedOptions> {
        self.draft.finish(&self.given)
    }
}
