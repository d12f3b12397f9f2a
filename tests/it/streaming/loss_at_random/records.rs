//! The records of a query's days, and the clock of its machine.

use std::collections::BTreeSet;
use std::time::Duration;

use datafusion_kinesis::kinesis::TokioClock;
use datafusion_kinesis::model::{Clock, UnixMillis};
use tokio::time::Instant;

/// How long the simulator keeps records.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A machine whose clock is ahead of the service's, or behind it.
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

/// What has become of the records.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// When each arrived, by its number.
    pub(super) arrived: Vec<Instant>,
    /// Those that are behind a batch for certain.
    pub(super) settled: BTreeSet<u64>,
}

impl Records {
    /// Those that retention has taken and `read` has not.
    pub(super) fn gone(&self, read: &BTreeSet<u64>) -> BTreeSet<u64> {
        let now = Instant::now();
        let arrived = (0..).zip(&self.arrived);
        let gone = arrived.filter(|(_, arrived)| now.duration_since(**arrived) > DAY);
        let unread = gone.filter(|(number, _)| !read.contains(number));
        unread.map(|(number, _)| number).collect()
    }
}
