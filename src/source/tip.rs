//! Where a bounded read ends.

use std::time::Duration;

use crate::kinesis::RecordsPage;
use crate::kinesis::limits::{DEFAULT_MAX_RECORD_BYTES, MAX_BYTES_PER_FETCH};
use crate::model::UnixMillis;

/// What one answer says about the place of the tip.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// When the request was sent. The service looked no earlier, so that a slow answer is not taken
    /// for a later look.
    pub(super) asked_at: UnixMillis,
    /// How far the page ended behind the tip, where the service said it.
    pub(super) behind_latest: Option<Duration>,
    /// Records that were asked for.
    pub(super) limit: usize,
    /// Records that came.
    pub(super) records: usize,
    /// Their size.
    pub(super) bytes: usize,
}

impl Answer {
    /// What `page` says, asked for `limit` records at `asked_at`.
    pub(super) fn of(page: &RecordsPage, asked_at: UnixMillis, limit: usize) -> Self {
        Self {
            asked_at,
            behind_latest: page.behind_latest,
            limit,
            records: page.len(),
            bytes: page.size_bytes(),
        }
    }

    /// Whether more records may have been kept back by a limit of the page. The service stops before
    /// the record that would break 10 MiB, so a page is full a record's size earlier.
    pub(super) fn is_full(&self) -> bool {
        self.records >= self.limit || self.bytes > MAX_BYTES_PER_FETCH - DEFAULT_MAX_RECORD_BYTES
    }

    /// Whether all records that were there at `begun_at` have been read by now.
    ///
    /// Lag alone decides nothing: some servers say 0 on full pages, and an empty page with lag is a
    /// gap before records that are still to come.
    pub(super) fn covers(&self, begun_at: UnixMillis) -> bool {
        self.covered().is_some_and(|covered| covered >= begun_at)
    }

    /// The time up to which all records have been read; `None` where the page may have been cut.
    pub(super) fn covered(&self) -> Option<UnixMillis> {
        let behind = self.behind().unwrap_or_default();
        (!self.is_full()).then(|| self.asked_at.minus(behind))
    }

    /// The same also of a page that was cut, where it does not claim to end at the tip.
    pub(super) fn covered_by_lag(&self) -> Option<UnixMillis> {
        let cut = || self.behind().map(|behind| self.asked_at.minus(behind));
        self.covered().or_else(cut)
    }

    /// How far the page ended behind the tip, at most; `None` where it says that it did not.
    fn behind(&self) -> Option<Duration> {
        /// The lag is whole milliseconds, rounded down.
        const ROUNDING: Duration = Duration::from_millis(1);
        let behind = self.behind_latest.filter(|behind| !behind.is_zero());
        behind.map(|behind| behind + ROUNDING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: UnixMillis = UnixMillis(10_000);

    fn answer(asked_at: i64, behind: Option<u64>, records: usize) -> Answer {
        Answer {
            asked_at: UnixMillis(asked_at),
            behind_latest: behind.map(Duration::from_millis),
            limit: 100,
            records,
            bytes: 0,
        }
    }

    #[test]
    fn a_page_at_the_tip_ends_the_read_with_or_without_records() {
        assert!(answer(10_000, Some(0), 0).covers(BEGUN));
        assert!(answer(10_000, Some(0), 99).covers(BEGUN));
        assert!(answer(10_000, None, 0).covers(BEGUN));
    }

    #[test]
    fn an_empty_page_with_lag_is_a_gap_and_not_the_tip() {
        assert!(!answer(10_000, Some(5_000), 0).covers(BEGUN));
    }

    #[test]
    fn a_busy_stream_ends_once_its_lag_is_younger_than_the_read() {
        assert!(!answer(12_000, Some(2_000), 50).covers(BEGUN));
        assert!(answer(12_001, Some(2_000), 50).covers(BEGUN));
    }

    #[test]
    fn a_full_page_never_ends_the_read_whatever_lag_it_claims() {
        assert!(!answer(10_000, Some(0), 100).covers(BEGUN));
        let by_size = Answer {
            bytes: MAX_BYTES_PER_FETCH - 1_000,
            ..answer(10_000, Some(0), 1)
        };
        assert!(!by_size.covers(BEGUN));
    }
}
