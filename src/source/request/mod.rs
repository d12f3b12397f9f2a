//! One request to the service: how many are in flight, when the next may be sent, and up to which time
//! its answer covers the shard.

mod answer;
mod in_flight;
mod pacing;

pub(crate) use self::answer::{Answer, Claim};
pub(crate) use self::in_flight::{InFlightLimits, Slot};
pub(crate) use self::pacing::{PageSize, SCAN_PAGES_BYTES, wait_after};
