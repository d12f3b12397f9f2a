//! Where a bounded read ends.
//!
//! Some servers say of every page that it ends at the tip. A page that ends there has less than was asked
//! for; but where records are large, one that was cut by its size may hold any number of bytes. Such a page
//! is judged by the next one: it was not cut if that one is empty, or begins with a record that would have
//! found room in it.

use std::time::Duration;

use crate::kinesis::RecordsPage;
use crate::kinesis::limits::MAX_BYTES_PER_FETCH;
use crate::model::UnixMillis;

/// The longest partition key, 256 characters: the size of a record may or may not count its key.
const MAX_KEY_BYTES: usize = 1_024;

/// What one answer says about the place of the tip.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// When the request was sent. The service looked no earlier, so that a slow answer is not taken
    /// for a later look.
    pub(crate) asked_at: UnixMillis,
    /// How far the page ended behind the tip, where the service said it.
    pub(crate) behind_latest: Option<Duration>,
    /// Records that were asked for.
    pub(crate) limit: usize,
    /// Records that came.
    pub(crate) records: usize,
    /// Their size.
    pub(crate) bytes: usize,
    /// The largest record that the stream takes.
    pub(crate) max_record_bytes: usize,
    /// All that had arrived by then has been read, by what the page before said that is now known to
    /// have been whole.
    pub(crate) confirmed: Option<UnixMillis>,
}

/// What a page says of the time that it covers, if it was not cut by its size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    covered: UnixMillis,
    bytes: usize,
}

impl Claim {
    /// The time that it covers, where `page` came next and shows that nothing was cut off.
    pub(crate) fn confirmed_by(self, page: &RecordsPage) -> Option<UnixMillis> {
        let next = (!page.is_empty()).then(|| page.size_of(0..1))?;
        let fits = self.bytes + next + MAX_KEY_BYTES <= MAX_BYTES_PER_FETCH;
        fits.then_some(self.covered)
    }
}

impl Answer {
    /// What `page` says, asked for `limit` records at `asked_at`, of a stream that takes records of this
    /// size.
    pub(crate) fn of(
        page: &RecordsPage,
        asked_at: UnixMillis,
        limit: usize,
        max_record_bytes: usize,
    ) -> Self {
        Self {
            asked_at,
            behind_latest: page.behind_latest,
            limit,
            records: page.len(),
            bytes: page.size_bytes(),
            max_record_bytes,
            confirmed: None,
        }
    }

    /// Whether more records may have been kept back by a limit of the page. The service stops before
    /// the record that would break 10 MiB, so a page is full a record's size earlier.
    pub(crate) fn is_full(&self) -> bool {
        self.records >= self.limit || self.may_be_cut_by_size()
    }

    fn may_be_cut_by_size(&self) -> bool {
        self.bytes + self.max_record_bytes > MAX_BYTES_PER_FETCH && self.records > 0
    }

    /// What the page says for the next one to confirm.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let open = self.records < self.limit && self.may_be_cut_by_size();
        open.then(|| Claim {
            covered: self.covered_if_whole(),
            bytes: self.bytes,
        })
    }

    /// Whether all records that were there at `begun_at` have been read by now.
    ///
    /// Lag alone decides nothing: some servers say 0 on full pages, and an empty page with lag is a
    /// gap before records that are still to come.
    pub(crate) fn covers(&self, begun_at: UnixMillis) -> bool {
        self.covered().is_some_and(|covered| covered >= begun_at)
    }

    /// The time up to which all records have been read; `None` where the page may have been cut.
    pub(crate) fn covered(&self) -> Option<UnixMillis> {
        let whole = (!self.is_full()).then(|| self.covered_if_whole());
        whole.or(self.confirmed)
    }

    /// The same also of a page that was cut, where it does not claim to end at the tip.
    pub(crate) fn covered_by_lag(&self) -> Option<UnixMillis> {
        let cut = self.behind().map(|behind| self.asked_at.minus(behind));
        self.covered().max(cut)
    }

    fn covered_if_whole(&self) -> UnixMillis {
        self.asked_at.minus(self.behind().unwrap_or_default())
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
    use crate::kinesis::limits::{DEFAULT_MAX_RECORD_BYTES, LARGEST_MAX_RECORD_BYTES};
    use crate::kinesis::{RecordColumns, RecordsPageBuilder};

    const MIB: usize = 1024 * 1024;

    const BEGUN: UnixMillis = UnixMillis(10_000);

    fn answer(asked_at: i64, behind: Option<u64>, records: usize) -> Answer {
        Answer {
            asked_at: UnixMillis(asked_at),
            behind_latest: behind.map(Duration::from_millis),
            limit: 100,
            records,
            bytes: 0,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            confirmed: None,
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

    /// The page that follows another one, and begins with a record of this size.
    fn page(record: Option<usize>) -> RecordsPage {
        let mut page = RecordsPageBuilder::with_capacity(RecordColumns::DATA_ONLY, 1, 0);
        if let Some(bytes) = record {
            page.push(&vec![b'x'; bytes], Some("key"), "7", None);
        }
        page.finish(None, None, None, Vec::new())
    }

    #[test]
    fn where_records_are_large_the_next_page_tells_whether_one_was_cut() {
        let large = |bytes, records, behind| Answer {
            bytes,
            max_record_bytes: LARGEST_MAX_RECORD_BYTES,
            ..answer(10_000, behind, records)
        };
        let claimed = |bytes, records, behind, next| {
            let answer = large(bytes, records, behind);
            assert_eq!(answer.covered(), None);
            let claim = answer.claim()?;
            claim.confirmed_by(&page(next))
        };
        for behind in [None, Some(0)] {
            assert_eq!(claimed(6 * MIB, 1, behind, Some(6 * MIB)), None);
            assert_eq!(claimed(6 * MIB, 1, behind, Some(100)), Some(BEGUN));
            // An empty page speaks for itself.
            assert_eq!(claimed(6 * MIB, 1, behind, None), None);
            assert_eq!(claimed(6 * MIB, 100, behind, Some(100)), None);
        }
        let late = claimed(6 * MIB, 1, Some(500), Some(100));
        assert_eq!(late, Some(UnixMillis(9_499)));
        assert!(large(0, 0, None).covers(BEGUN));
        let confirmed = Answer {
            confirmed: late,
            ..large(6 * MIB, 1, None)
        };
        assert!(confirmed.covers(UnixMillis(9_499)));
        assert!(!confirmed.covers(BEGUN));
        assert!(answer(10_000, Some(0), 1).claim().is_none());
    }
}
