//! How many records may be on trial at once, so that one shard's rate does not wear out all of them.

/// A record on trial is one that was sent and is not acknowledged: in flight, or refused and waiting.
///
/// Once it is refused, its time to live runs. Sent all at once, more records than a shard takes in
/// that time would only make each other fail; so the number follows what the service takes. Where
/// a lane is a shard, the lanes' own pace does this, and the window stays open.
#[derive(Debug)]
pub(super) struct Window {
    /// Set where there is no limit.
    open: bool,
    limit_records: usize,
    on_trial: usize,
}

/// Enough to use up what a shard takes, with tries a tenth of a second apart.
const LEAST_RECORDS: usize = 64;

/// One full request.
const FIRST_RECORDS: usize = 500;

/// Eight full requests.
const MOST_RECORDS: usize = 4_096;

impl Window {
    pub(super) fn new(open: bool) -> Self {
        Self {
            open,
            limit_records: FIRST_RECORDS,
            on_trial: 0,
        }
    }

    pub(super) fn set_open(&mut self, open: bool) {
        self.open = open;
    }

    /// Whether a record that was never sent may be.
    pub(super) fn allows_new(&self) -> bool {
        self.open || self.on_trial < self.limit_records
    }

    pub(super) fn admit(&mut self) {
        self.on_trial += 1;
    }

    pub(super) fn release(&mut self) {
        self.on_trial -= 1;
    }

    /// Grows by what was taken and shrinks by what was too much: it settles where one record is
    /// refused for each that is taken.
    pub(super) fn learn(&mut self, taken: usize, throttled: usize) {
        self.limit_records = (self.limit_records + taken.div_ceil(2))
            .saturating_sub(throttled.div_ceil(2))
            .clamp(LEAST_RECORDS, MOST_RECORDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_what_is_taken_between_its_bounds() {
        let mut window = Window::new(false);
        for _ in 0..FIRST_RECORDS {
            assert!(window.allows_new());
            window.admit();
        }
        assert!(!window.allows_new());
        window.learn(2, 0);
        assert!(window.allows_new());
        window.learn(0, 1_000_000);
        (0..FIRST_RECORDS - LEAST_RECORDS).for_each(|_| window.release());
        assert!(!window.allows_new());
        window.release();
        assert!(window.allows_new());
        window.learn(1_000_000, 0);
        assert_eq!(window.limit_records, MOST_RECORDS);
    }

    #[test]
    fn an_open_window_lets_all_through() {
        let mut window = Window::new(true);
        (0..2 * MOST_RECORDS).for_each(|_| window.admit());
        assert!(window.allows_new());
        window.set_open(false);
        assert!(!window.allows_new());
    }
}
