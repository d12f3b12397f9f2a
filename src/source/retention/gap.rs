//! The report of records that may have expired unread.

use std::fmt;

use super::window::RetentionWindow;
use crate::model::UnixMillis;

/// How to continue despite lost records; the end of error messages.
pub(crate) const CONTINUE_HINT: &str =
    "'kinesis.failOnDataLoss' = 'false' continues without the lost records";

/// What is known about records that may have expired between two pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Every record that had arrived by then was read.
    pub(super) read_to: Option<UnixMillis>,
    /// The oldest record of the shard: its sequence number, and when it arrived.
    pub(super) oldest: Option<(String, Option<UnixMillis>)>,
    pub(super) window: RetentionWindow,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records after this position may have expired: ")?;
        match self.read_to {
            Some(time) => write!(f, "all records that arrived by {time} were read, ")?,
            None => f.write_str("it is not known up to which time all records were read, ")?,
        }
        match &self.oldest {
            Some((sequence, Some(arrived))) => write!(
                f,
                "the oldest record now is {sequence}, which arrived at {arrived}"
            )?,
            Some((sequence, None)) => write!(f, "the oldest record now is {sequence}")?,
            None => f.write_str("the shard now holds no records")?,
        }
        let hours = self.window.retention.as_secs() / 3_600;
        write!(f, ", and the retention of the stream is {hours} hours")?;
        match self.window.expired_before {
            Some(time) => write!(
                f,
                "; it was shorter before, so records that arrived before {time} may have expired then"
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
impl Gap {
    /// A gap about which only the window is known.
    pub(crate) fn unknown(window: RetentionWindow) -> Self {
        Self {
            read_to: None,
            oldest: None,
            window,
        }
    }
}
