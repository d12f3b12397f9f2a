//! Requests to the service: how many are in flight, when a shard may send the next one, and up to which
//! time a response covers the shard.

mod answer;
mod clock;
mod in_flight;
mod pacing;

pub(crate) use self::answer::{Answer, UnconfirmedCoverage};
pub(crate) use self::clock::RequestClock;
pub(crate) use self::in_flight::{InFlightLimits, RequestSlot};
pub(crate) use self::pacing::{Pace, RecordSize, SCAN_PAGES_BYTES, scan_page_bytes, wait_after};
