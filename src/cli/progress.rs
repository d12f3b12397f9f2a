//! Progress lines on a terminal, and the note at the end of a streaming statement.

mod bounded;
mod line;
mod streaming;

pub(super) use bounded::BoundedProgress;
pub(super) use streaming::{StreamingProgress, Tally, closing_note, losses, skipped, unfit};
