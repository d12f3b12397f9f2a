//! What is told of records that are gone.

use std::fmt;

use super::window::Kept;
use crate::model::UnixMillis;

/// What to do about lost records, at the end of a message.
pub(crate) const WAY_OUT: &str = "'kinesis.failOnDataLoss' = 'false' goes on without what is lost";

/// Records that are gone, as far as that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// All that had arrived by then was read.
    pub(crate) read_to: Option<UnixMillis>,
    /// The number of the oldest record there is, and when it arrived.
    pub(crate) oldest: Option<(String, Option<UnixMillis>)>,
    /// How long records stay.
    pub(crate) kept: Kept,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what came after this position may be gone: ")?;
        match self.read_to {
            Some(time) => write!(f, "all that had arrived by {time} was read, ")?,
            None => f.write_str("up to which time all was read is not known, ")?,
        }
        match &self.oldest {
            Some((number, Some(arrived))) => write!(
                f,
                "the oldest record there is now is {number}, which arrived at {arrived}"
            )?,
            Some((number, None)) => write!(f, "the oldest record there is now is {number}")?,
            None => f.write_str("the shard holds no record now")?,
        }
        let hours = self.kept.retention.as_secs() / 3_600;
        write!(f, ", and the stream keeps records for {hours} hours")?;
        match self.kept.gone_to {
            Some(time) => write!(
                f,
                "; it kept them for less time before, so what arrived before {time} may have gone then"
            ),
            None => Ok(()),
        }
    }
}
