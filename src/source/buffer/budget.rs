//! How much may be read ahead.

use crate::kinesis::limits::MAX_BYTES_PER_FETCH;

/// A page is no smaller than this however little room there is, for requests to be worth their cost.
const LEAST_PAGE_BYTES: usize = 64 * 1024;

/// Parts of the memory for pages that are on their way. Where more are, they get what is left.
const PAGES_IN_FLIGHT: usize = 64;

/// The memory all buffers of a stream share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    max_bytes: usize,
}

impl Budget {
    pub(crate) fn of(max_bytes: usize) -> Self {
        Self { max_bytes }
    }

    /// Whether buffers that hold `held` bytes together are full.
    pub(crate) fn is_full(self, held: usize) -> bool {
        held >= self.max_bytes
    }

    /// How large a page may be for a shard whose buffer holds `own` of the `held` bytes of all
    /// `shards`; `None` for no page until a batch is through.
    ///
    /// A shard may hold as much as is still free, so that one that is alone with its load has half of
    /// the memory and many have equal parts. One that holds nothing gets a small page even where
    /// nothing is free, up to twice the memory: it must not starve behind the others.
    pub(crate) fn page_bytes(self, own: usize, held: usize, shards: usize) -> Option<usize> {
        let free = self.max_bytes.saturating_sub(held);
        let admitted = if own == 0 {
            held < self.max_bytes.saturating_mul(2)
        } else {
            own <= free
        };
        let in_flight = shards.clamp(1, PAGES_IN_FLIGHT);
        admitted.then(|| (free / in_flight).clamp(LEAST_PAGE_BYTES, MAX_BYTES_PER_FETCH))
    }

    /// The size of a page where no room is to be had and reading goes on nevertheless.
    pub(crate) fn least_page_bytes() -> usize {
        LEAST_PAGE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_is_alone_with_its_load_has_half_of_the_memory_and_many_have_equal_parts() {
        let budget = Budget::of(100 << 20);
        let room = |own: usize, held: usize| budget.page_bytes(own << 20, held << 20, 8);
        assert_eq!(room(0, 0), Some(MAX_BYTES_PER_FETCH));
        assert!(room(50, 50).is_some());
        assert!(room(51, 51).is_none());
        assert!(room(20, 80).is_some());
        assert!(room(21, 84).is_none());
        assert_eq!(room(0, 120), Some(LEAST_PAGE_BYTES));
        assert_eq!(room(0, 200), None);
    }
}
