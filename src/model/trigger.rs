//! Triggers and output modes of streaming queries.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::duration::{format_duration, parse_duration};
use crate::error::{Error, Result};

/// When a streaming query runs its batches.
///
/// The text form, as in `SET streaming.trigger = '…'`, is `as fast as possible`, an interval such
/// as `200 milliseconds`, `1 second`, `5 minutes` or `interval 1 second`, `once`, or `available
/// now`. Case is ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// A batch starts as soon as the previous one is done and there are records to read.
    #[default]
    AsFastAsPossible,
    /// Batches start at this interval, or when the previous one is done if that takes longer.
    ProcessingTime(Duration),
    /// One batch of all available records, plus one more for each reshard in between; then the
    /// query ends.
    Once,
    /// As many batches as needed for all available records; then the query ends.
    AvailableNow,
}

impl Trigger {
    /// Whether a query with this trigger ends by itself.
    pub(crate) fn ends_by_itself(self) -> bool {
        matches!(self, Self::Once | Self::AvailableNow)
    }

    /// The valid text forms, for error messages.
    pub(crate) const EXPECTED: &str = "expected 'as fast as possible', an interval up to 365 days such \
        as '200 milliseconds', '1 second' or '5 minutes', 'once' or 'available now'";
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsFastAsPossible => f.write_str("as fast as possible"),
            Self::ProcessingTime(interval) => f.write_str(&format_duration(*interval)),
            Self::Once => f.write_str("once"),
            Self::AvailableNow => f.write_str("available now"),
        }
    }
}

impl FromStr for Trigger {
    type Err = Error;

    /// An interval of zero means as fast as possible.
    fn from_str(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        match words.as_slice() {
            ["as", "fast", "as", "possible"] => return Ok(Self::AsFastAsPossible),
            ["once"] => return Ok(Self::Once),
            ["available", "now"] | ["availablenow"] => return Ok(Self::AvailableNow),
            _ => {}
        }
        let interval = match words.as_slice() {
            ["interval", interval @ ..] => interval,
            interval => interval,
        };
        match parse_duration(&interval.join(" ")) {
            Some(Duration::ZERO) => Ok(Self::AsFastAsPossible),
            Some(interval) => Ok(Self::ProcessingTime(interval)),
            None => Err(Error::invalid_option(format!(
                "trigger '{text}': {}",
                Self::EXPECTED
            ))),
        }
    }
}

/// Which rows a batch of a streaming query outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OutputMode {
    /// Only rows that will no longer change.
    #[default]
    Append,
    /// Rows that are new or changed since the previous batch.
    Update,
    /// The whole result after every batch.
    Complete,
}

impl OutputMode {
    /// The valid text forms, for error messages.
    pub(crate) const EXPECTED: &str = "expected 'append', 'update' or 'complete'";
}

impl fmt::Display for OutputMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::Update => "update",
            Self::Complete => "complete",
        })
    }
}

impl FromStr for OutputMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "append" => Ok(Self::Append),
            "update" => Ok(Self::Update),
            "complete" => Ok(Self::Complete),
            _ => Err(Error::invalid_option(format!(
                "output mode '{text}': {}",
                Self::EXPECTED
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(millis: u64) -> Trigger {
        Trigger::ProcessingTime(Duration::from_millis(millis))
    }

    #[test]
    fn a_trigger_is_a_keyword_or_an_interval() {
        for (text, trigger) in [
            ("as fast as possible", Trigger::AsFastAsPossible),
            (" As  Fast as possible ", Trigger::AsFastAsPossible),
            ("0 seconds", Trigger::AsFastAsPossible),
            ("Once", Trigger::Once),
            ("available now", Trigger::AvailableNow),
            ("AvailableNow", Trigger::AvailableNow),
            ("200 milliseconds", every(200)),
            ("200ms", every(200)),
            ("interval 1 second", every(1_000)),
            ("INTERVAL 5 MINUTES", every(300_000)),
        ] {
            assert_eq!(text.parse::<Trigger>().unwrap(), trigger, "{text}");
        }
    }

    #[test]
    fn an_invalid_trigger_is_rejected_with_the_expected_forms() {
        for text in [
            "",
            "interval",
            "10",
            "sometimes",
            "-1 seconds",
            "once 1 second",
        ] {
            let error = text.parse::<Trigger>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("trigger '{text}': expected 'as fast as possible'")),
                "{error}"
            );
        }
    }

    #[test]
    fn triggers_and_output_modes_round_trip() {
        for trigger in [
            Trigger::AsFastAsPossible,
            every(1),
            every(1_500),
            every(300_000),
            Trigger::Once,
            Trigger::AvailableNow,
        ] {
            assert_eq!(trigger.to_string().parse::<Trigger>().unwrap(), trigger);
        }
        for mode in [OutputMode::Append, OutputMode::Update, OutputMode::Complete] {
            assert_eq!(mode.to_string().parse::<OutputMode>().unwrap(), mode);
        }
    }

    #[test]
    fn an_invalid_output_mode_is_rejected_with_the_expected_forms() {
        let error = "overwrite".parse::<OutputMode>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "output mode 'overwrite': expected 'append', 'update' or 'complete'"
        );
    }
}
