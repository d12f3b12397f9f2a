//! Up to which arrival time a GetRecords response covers its shard.
//!
//! A page that was received at time t with lag b covers everything that had arrived by t − b, unless a limit
//! cut it off. Lag alone proves nothing, because some servers report no lag on every page; but a page that
//! ends at the tip is smaller than what was requested. That test fails if a stream accepts large records: a
//! page that was cut off by its size may then have any size. The next page settles the question: if it begins
//! with a record that would have fitted into the earlier page, that page was not cut off.

use std::time::Duration;

use crate::kinesis::RecordsPage;
use crate::kinesis::limits::MAX_BYTES_PER_FETCH;
use crate::model::UnixMillis;

/// The size of the longest partition key, of 256 characters. The size of a record may or may not include its
/// key.
const MAX_KEY_BYTES: usize = 1_024;

/// The properties of a response that show whether it reached the tip.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// When the request was sent. The service may have read the shard right then, so a slow response proves
    /// nothing about later times.
    pub(crate) sent_at: UnixMillis,
    /// The lag of the page's end behind the tip, if the service reports it.
    pub(crate) behind_latest: Option<Duration>,
    /// The number of records that were requested.
    pub(crate) limit: usize,
    /// The number of records returned.
    pub(crate) records: usize,
    /// Their size.
    pub(crate) bytes: usize,
    /// The size of the largest record that the stream accepts.
    pub(crate) max_record_bytes: usize,
    /// The time that the previous page covers, if this page confirms it.
    pub(crate) confirmed: Option<UnixMillis>,
}

/// The time that a page covers if it was not cut off by its size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnconfirmedCoverage {
    covered: UnixMillis,
    bytes: usize,
}

impl UnconfirmedCoverage {
    /// The covered time, if `next` shows that nothing was cut off from the page before it.
    pub(crate) fn confirmed_by(self, next: &RecordsPage) -> Option<UnixMillis> {
        let first = (!next.is_empty()).then(|| next.size_of(0..1))?;
        let fits = self.bytes + first + MAX_KEY_BYTES <= MAX_BYTES_PER_FETCH;
        fits.then_some(self.covered)
    }
}

impl Answer {
    /// The answer to a request for `limit` records at `sent_at`, from a stream that accepts records of
    /// `max_record_bytes`.
    pub(crate) fn of(
        page: &RecordsPage,
        sent_at: UnixMillis,
        limit: usize,
        max_record_bytes: usize,
    ) -> Self {
        Self {
            sent_at,
            behind_latest: page.behind_latest,
            limit,
            records: page.len(),
            bytes: page.size_bytes(),
            max_record_bytes,
            confirmed: None,
        }
    }

    /// Whether a limit may have cut off the page. The service stops before the record that would exceed 10
    /// MiB, so a page counts as full one record earlier.
    pub(crate) fn is_full(&self) -> bool {
        self.records >= self.limit || self.may_be_cut_by_size()
    }

    fn may_be_cut_by_size(&self) -> bool {
        self.bytes + self.max_record_bytes > MAX_BYTES_PER_FETCH && self.records > 0
    }

    /// What the page covers if the next one confirms it; `None` if it needs or allows no confirmation.
    pub(crate) fn unconfirmed(&self) -> Option<UnconfirmedCoverage> {
        let is_open = self.records < self.limit && self.may_be_cut_by_size();
        is_open.then(|| UnconfirmedCoverage {
            covered: self.covered_if_whole(),
            bytes: self.bytes,
        })
    }

    /// The time up to which all records have been read; `None` if the page may have been cut off.
    ///
    /// Lag alone proves nothing: some servers report 0 on full pages, and an empty page with lag is a gap
    /// before further records.
    pub(crate) fn covered(&self) -> Option<UnixMillis> {
        let whole = (!self.is_full()).then(|| self.covered_if_whole());
        whole.or(self.confirmed)
    }

    /// Like [`covered`](Self::covered), but also for a page that was cut off, if its lag shows that more
    /// follows.
    pub(crate) fn covered_by_lag(&self) -> Option<UnixMillis> {
        let cut = self.behind().map(|behind| self.sent_at.minus(behind));
        self.covered().max(cut)
    }

    fn covered_if_whole(&self) -> UnixMillis {
        self.sent_at.minus(self.behind().unwrap_or_default())
    }

    /// An upper bound of the lag; `None` if the page claims to end at the tip.
    fn behind(&self) -> Option<Duration> {
        /// The lag is rounded down to whole milliseconds.
        const ROUNDING: Duration = Duration::from_millis(1);
        let behind = self.behind_latest.filter(|behind| !behind.is_zero());
        behind.map(|behind| behind + ROUNDING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinesis::limits::{DEFAULT_MAX_RECORD_BYTES, LARGEST_MAX_RECORD_BYTES};
    use crate::kinesis::{RecordColumns, RecordsPageBuilder};

    const MIB: usize = 1024 * 1024;

    const BEGUN: UnixMillis = UnixMillis(10_000);

    impl Answer {
        fn covers(&self, time: UnixMillis) -> bool {
            self.covered().is_some_and(|covered| covered >= time)
        }
    }

    fn answer(sent_at: i64, behind: Option<u64>, records: usize) -> Answer {
        Answer {
            sent_at: UnixMillis(sent_at),
            behind_latest: behind.map(Duration::from_millis),
            limit: 100,
            records,
            bytes: 0,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            confirmed: None,
        }
    }

    #[test]
    fn a_page_at_the_tip_covers_the_shard_with_or_without_records() {
        assert!(answer(10_000, Some(0), 0).covers(BEGUN));
        assert!(answer(10_000, Some(0), 99).covers(BEGUN));
        assert!(answer(10_000, None, 0).covers(BEGUN));
    }

    #[test]
    fn an_empty_page_with_lag_is_not_the_tip() {
        assert!(!answer(10_000, Some(5_000), 0).covers(BEGUN));
    }

    #[test]
    fn a_busy_shard_is_covered_once_its_lag_is_younger_than_the_read() {
        assert!(!answer(12_000, Some(2_000), 50).covers(BEGUN));
        assert!(answer(12_001, Some(2_000), 50).covers(BEGUN));
    }

    #[test]
    fn a_full_page_covers_nothing_whatever_lag_it_reports() {
        assert!(!answer(10_000, Some(0), 100).covers(BEGUN));
        let by_size = Answer {
            bytes: MAX_BYTES_PER_FETCH - 1_000,
            ..answer(10_000, Some(0), 1)
        };
        assert!(!by_size.covers(BEGUN));
    }

    /// A page that follows another one, with one record of this size or none.
    fn page(record: Option<usize>) -> RecordsPage {
        let mut page = RecordsPageBuilder::with_capacity(RecordColumns::DATA_ONLY, 1, 0);
        if let Some(bytes) = record {
            page.push(&vec![b'x'; bytes], Some("key"), "7", None);
        }
        page.finish(None, None, None, Vec::new())
    }

    #[test]
    fn the_next_page_shows_whether_a_large_one_was_cut_off() {
        let large = |bytes, records, behind| Answer {
            bytes,
            max_record_bytes: LARGEST_MAX_RECORD_BYTES,
            ..answer(10_000, behind, records)
        };
        let confirmed = |bytes, records, behind, next| {
            let answer = large(bytes, records, behind);
            assert_eq!(answer.covered(), None);
            let unconfirmed = answer.unconfirmed()?;
            unconfirmed.confirmed_by(&page(next))
        };
        for behind in [None, Some(0)] {
            assert_eq!(confirmed(6 * MIB, 1, behind, Some(6 * MIB)), None);
            assert_eq!(confirmed(6 * MIB, 1, behind, Some(100)), Some(BEGUN));
            // An empty page needs no confirmation, and gives none.
            assert_eq!(confirmed(6 * MIB, 1, behind, None), None);
            assert_eq!(confirmed(6 * MIB, 100, behind, Some(100)), None);
        }
        let late = confirmed(6 * MIB, 1, Some(500), Some(100));
        assert_eq!(late, Some(UnixMillis(9_499)));
        assert!(large(0, 0, None).covers(BEGUN));
        let answer_with_confirmation = Answer {
            confirmed: late,
            ..large(6 * MIB, 1, None)
        };
        assert!(answer_with_confirmation.covers(UnixMillis(9_499)));
        assert!(!answer_with_confirmation.covers(BEGUN));
        assert!(answer(10_000, Some(0), 1).unconfirmed().is_none());
    }
}
