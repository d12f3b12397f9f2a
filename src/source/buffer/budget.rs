//! How much memory the pages that are read ahead of batches may use.

use crate::kinesis::limits::MAX_BYTES_PER_FETCH;

/// The smallest page, however little room there is: smaller ones are not worth a request.
const MIN_PAGE_BYTES: usize = 64 * 1024;

/// The free memory is divided among up to this many pages in flight; further pages use the remaining memory.
const MAX_PAGES_IN_FLIGHT: usize = 64;

/// The memory that all buffers of a stream share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    max_bytes: usize,
}

impl Budget {
    pub(crate) fn of(max_bytes: usize) -> Self {
        Self { max_bytes }
    }

    /// Whether buffers that hold `held` bytes in total are full.
    pub(crate) fn is_full(self, held: usize) -> bool {
        held >= self.max_bytes
    }

    /// The size of the next page of a shard whose buffer has `own` of the `held` bytes of all `shards`;
    /// `None` if the shard must wait until a batch is committed.
    ///
    /// A shard may hold as much memory as is still free, so a single busy shard gets half of the memory, and
    /// many get equal parts. A shard that holds nothing gets a small page even if nothing is free, so that
    /// other shards cannot starve it; the total may then reach twice the memory.
    pub(crate) fn page_bytes(self, own: usize, held: usize, shards: usize) -> Option<usize> {
        let free = self.max_bytes.saturating_sub(held);
        let is_admitted = if own == 0 {
            held < self.max_bytes.saturating_mul(2)
        } else {
            own <= free
        };
        let in_flight = shards.clamp(1, MAX_PAGES_IN_FLIGHT);
        is_admitted.then(|| (free / in_flight).clamp(MIN_PAGE_BYTES, MAX_BYTES_PER_FETCH))
    }

    /// The size of a page if reading continues although there is no room.
    pub(crate) fn min_page_bytes() -> usize {
        MIN_PAGE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_busy_shard_gets_half_of_the_memory_and_many_get_equal_parts() {
        let budget = Budget::of(100 << 20);
        let room = |own: usize, held: usize| budget.page_bytes(own << 20, held << 20, 8);
        assert_eq!(room(0, 0), Some(MAX_BYTES_PER_FETCH));
        assert!(room(50, 50).is_some());
        assert!(room(51, 51).is_none());
        assert!(room(20, 80).is_some());
        assert!(room(21, 84).is_none());
        assert_eq!(room(0, 120), Some(MIN_PAGE_BYTES));
        assert_eq!(room(0, 200), None);
    }
}
