//! The requests of the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::observation::Requests;

const LENGTH: Duration = Duration::from_secs(60);

/// Observations that follow sooner replace each other.
const STEP: Duration = Duration::from_secs(1);

/// Counts over time, oldest first.
#[derive(Debug)]
pub(super) struct Window {
    samples: VecDeque<(Instant, Requests)>,
    newest: Requests,
}

impl Window {
    /// Begins with no requests.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            samples: VecDeque::from([(now, Requests::default())]),
            newest: Requests::default(),
        }
    }

    /// Adds the counts since the start.
    pub(super) fn push(&mut self, at: Instant, requests: Requests) {
        if requests.is_before(&self.newest) {
            // Other readers count from zero.
            self.samples = VecDeque::from([(at, Requests::default())]);
        }
        self.newest = requests;
        let is_due = |(last, _): &(Instant, Requests)| at - *last >= STEP;
        if self.samples.back().is_none_or(is_due) {
            self.samples.push_back((at, requests));
        }
        // The first sample is the last one before the window.
        while let Some((second, _)) = self.samples.get(1)
            && at - *second >= LENGTH
        {
            self.samples.pop_front();
        }
    }

    /// The requests in the window.
    pub(super) fn requests(&self) -> Requests {
        let first = self.samples.front().map(|(_, requests)| *requests);
        self.newest.since(first.unwrap_or_default())
    }
}
