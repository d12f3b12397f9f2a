//! When a streaming query runs its batches, and which rows it gives.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::duration::{display_span, parse_span};
use crate::error::{Error, Result};

/// When a streaming query runs its batches.
///
/// Its text, as in `SET streaming.trigger = '…'`, is `as fast as possible`, an interval such as
/// `200 milliseconds`, `1 second`, `5 minutes` or `interval 1 second`, `once`, or `available now`; the
/// case does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The next batch begins when there is something to read and the one before is done.
    #[default]
    AsFastAsPossible,
    /// Batches begin this far apart, or when the one before is done where that takes longer.
    ProcessingTime(Duration),
    /// One batch of all there is, and one more for each reshard in between, then the query ends.
    Once,
    /// As many batches as it takes for all there is, then the query ends.
    AvailableNow,
}

impl Trigger {
    /// Whether a query with this trigger ends without being stopped.
    pub(crate) fn ends_by_itself(self) -> bool {
        matches!(self, Self::Once | Self::AvailableNow)
    }

    /// The forms of its text.
    pub(crate) const EXPECTED: &str = "expected 'as fast as possible', an interval up to 365 days such \
        as '200 milliseconds', '1 second' or '5 minutes', 'once' or 'available now'";
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsFastAsPossible => f.write_str("as fast as possible"),
            Self::ProcessingTime(interval) => f.write_str(&display_span(*interval)),
            Self::Once => f.write_str("once"),
            Self::AvailableNow => f.write_str("available now"),
        }
    }
}

impl FromStr for Trigger {
    type Err = Error;

    /// An interval of zero is as fast as possible.
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
        match parse_span(&interval.join(" ")) {
            Some(Duration::ZERO) => Ok(Self::AsFastAsPossible),
            Some(interval) => Ok(Self::ProcessingTime(interval)),
            None => Err(Error::invalid_option(format!(
                "trigger '{text}': {}",
                Self::EXPECTED
            ))),
        }
    }
}

/// Which rows a batch of a streaming query gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OutputMode {
    /// Rows that will never change.
    #[default]
    Append,
    /// Rows that are new or have changed since the batch before.
    Update,
    /// The whole result, every time.
    Complete,
}

impl OutputMode {
    /// The forms of its text.
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
    fn a_trigger_is_words_or_an_interval() {
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
    fn a_wrong_trigger_says_what_was_expected() {
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
    fn a_trigger_and_a_mode_read_what_they_write() {
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
    fn a_wrong_output_mode_says_what_was_expected() {
        let error = "overwrite".parse::<OutputMode>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "output mode 'overwrite': expected 'append', 'update' or 'complete'"
        );
    }
}
