//! Whether retention has removed records before they were read.
//!
//! # Why a proof is needed
//!
//! The service reports no error for a position whose records have expired. Depending on the server, reading
//! silently continues with the oldest remaining record, or returns empty pages forever. A reader therefore
//! has to prove that it missed nothing.
//!
//! # The argument
//!
//! Let the *horizon* be the present minus the retention of the stream. Records that arrived after the horizon
//! still exist, and records of a shard expire in the order in which they arrived.
//!
//! 1. Suppose that everything that had arrived by time T has been read. If T is after the horizon, then the
//!    record that follows the position arrived after the horizon, too, and cannot have expired. This is the
//!    normal case. It needs no request and no comparison per record.
//! 2. If T is before the horizon (or within [a minute](window::MARGIN) of it, because clocks differ and requests
//!    take time), the last record that was read is requested again. If that record is the first one of the
//!    answer, then it has not expired, and so nothing after it has. If a later record comes first, the records
//!    between the two *may* have expired: that is a [`Gap`].
//! 3. A position without a record (`TRIM_HORIZON`, `AT_TIMESTAMP`) cannot be proved in this way. Any first record
//!    means a gap, unless the user requested a start at the oldest remaining record
//!    ([`ReadHistory::accepts_any_first`]).
//!
//! # Changes of the retention
//!
//! The retention can be changed at any time, and no response of GetRecords shows it.
//!
//! - No stream keeps records for less than 24 hours. If T is younger than that, step 1 holds for every
//!   retention.
//! - Otherwise a shortened retention is a whole number of hours, at least 24. Its horizon is that many hours
//!   before a request, and reading jumps over it. So a page that passes from before to after any such time is
//!   used only after the present retention has been requested. The same applies to every decision that there
//!   is a gap.
//! - A longer retention does not bring expired records back: [`RetentionWindow`] keeps the old horizon.

mod evidence;
mod gap;
mod history;
mod proof;
mod stream_retention;
mod window;

pub(crate) use self::evidence::PageEvidence;
pub(crate) use self::gap::{CONTINUE_HINT, Gap};
pub(crate) use self::history::{ReadHistory, StartRequest};
pub(crate) use self::proof::{GapDetector, Seek, sequence_of};
pub(crate) use self::stream_retention::StreamRetention;
pub(crate) use self::window::RetentionWindow;
