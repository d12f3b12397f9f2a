//! The records of a history, and the client's clock.

use std::collections::BTreeSet;
use std::time::Duration;

use datafusion_kinesis::kinesis::TokioClock;
use datafusion_kinesis::model::{Clock, UnixMillis};
use tokio::time::Instant;

/// Retention of the simulator.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A clock that differs from the service's.
#[derive(Debug)]
pub(super) struct Skewed {
    pub(super) clock: TokioClock,
    pub(super) ahead_millis: i64,
}

impl Clock for Skewed {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.clock.now().0 + self.ahead_millis)
    }
}

/// What happened to the records.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Arrival times by number.
    pub(super) arrived: Vec<Instant>,
    /// Records that are certainly covered by a batch.
    pub(super) settled: BTreeSet<u64>,
}

impl Records {
    /// Expired records that are not in `read`.
    pub(super) fn gone(&self, read: &BTreeSet<u64>) -> BTreeSet<u64> {
        let now = Instant::now();
        let arrived = (0..).zip(&self.arrived);
        let gone = arrived.filter(|(_, arrived)| now.duration_since(**arrived) > DAY);
        let unread = gone.filter(|(number, _)| !read.contains(number));
        unread.map(|(number, _)| number).collect()
    }
}
