//! Requests in flight: how many there are at once, and how much memory their answers may take.
//!
//! Every shard has one request in flight at most, and no shard waits for the answer to another one. A
//! request that takes long gives up its slot and goes on: it holds a connection and its share of the
//! memory, and nothing that another shard needs. Where no memory is left, a request asks for a small
//! page.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Slots for the shards of one stream before they have to share. Each is a connection: together they stay
/// well below the 1,024 open files that many systems allow a process.
const OWN_SLOTS: usize = 256;

/// Shards that share a slot beyond that. An idle shard is asked five times a second, so one slot serves
/// eight of them as long as an answer takes less than 25 ms.
const SHARDS_PER_SLOT: usize = 8;

/// The fewest slots: a stream can be split after it was described.
const LEAST_SLOTS: usize = 64;

/// How long a request keeps its slot.
const PATIENCE: Duration = Duration::from_millis(250);

/// A page is no smaller than this however little memory there is, for requests to be worth their cost.
const LEAST_PAGE_BYTES: usize = 64 * 1024;

/// What the requests of one stream share.
#[derive(Debug)]
pub(crate) struct InFlightLimits {
    slots: Semaphore,
    max_bytes: usize,
    reserved_bytes: AtomicUsize,
}

/// The right to send a request.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

/// Memory for the answer to a request.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    limits: &'a InFlightLimits,
    bytes: usize,
}

impl InFlightLimits {
    /// For requests to this many shards, whose answers share `max_bytes`.
    pub(crate) fn new(shards: usize, max_bytes: usize) -> Self {
        let shared = shards.saturating_sub(OWN_SLOTS).div_ceil(SHARDS_PER_SLOT);
        let slots = shards.min(OWN_SLOTS) + shared;
        Self {
            slots: Semaphore::new(slots.max(LEAST_SLOTS)),
            max_bytes,
            reserved_bytes: AtomicUsize::new(0),
        }
    }

    /// Waits for a slot: no longer than other requests keep theirs.
    pub(crate) async fn slot(&self) -> Slot<'_> {
        let permit = self.slots.acquire().await;
        Slot {
            _permit: permit.ok(),
        }
    }

    /// Memory for a page of `wanted` bytes, or for a small one where there is less. Never waits.
    pub(crate) fn reserve(&self, wanted: usize) -> Room<'_> {
        let share = |reserved: usize| {
            let free = self.max_bytes.saturating_sub(reserved);
            wanted.min(free.max(LEAST_PAGE_BYTES))
        };
        let order = Ordering::Relaxed;
        let reserved = self
            .reserved_bytes
            .fetch_update(order, order, |reserved| Some(reserved + share(reserved)));
        Room {
            limits: self,
            bytes: share(reserved.unwrap_or_else(|reserved| reserved)),
        }
    }
}

impl Slot<'_> {
    /// Sends a request, and lets the slot go if the answer takes long.
    pub(crate) async fn send<T>(self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        tokio::select! {
            biased;
            answer = &mut request => return answer,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        drop(self);
        request.await
    }
}

impl Room<'_> {
    /// How large the answer may be.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.limits
            .reserved_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::{Instant, timeout};

    const MIB: usize = 1024 * 1024;

    #[test]
    fn slots_grow_with_the_shards_and_stay_below_them() {
        let slots = |shards| InFlightLimits::new(shards, MIB).slots.available_permits();
        assert_eq!([0, 1, 64, 200, 256].map(slots), [64, 64, 64, 200, 256]);
        assert_eq!([1_000, 10_000].map(slots), [349, 1_474]);
    }

    #[test]
    fn answers_share_the_memory_and_each_request_gets_a_small_page_at_least() {
        let limits = InFlightLimits::new(4, 10 * MIB);
        let first = limits.reserve(8 * MIB);
        let second = limits.reserve(8 * MIB);
        let third = limits.reserve(8 * MIB);
        let small = limits.reserve(10);
        let bytes = [&first, &second, &third, &small].map(Room::bytes);
        assert_eq!(bytes, [8 * MIB, 2 * MIB, LEAST_PAGE_BYTES, 10]);
        drop((second, third));
        assert_eq!(limits.reserve(8 * MIB).bytes(), 2 * MIB - 10);
        drop((first, small));
        assert_eq!(limits.reserve(20 * MIB).bytes(), 10 * MIB);
        assert_eq!(limits.reserved_bytes.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_hang_hold_up_others_for_a_moment_only() {
        let limits = InFlightLimits::new(1, MIB);
        let began = Instant::now();
        let hang = async || limits.slot().await.send(pending::<()>()).await;
        let hung = futures::future::join_all((0..10 * LEAST_SLOTS).map(|_| hang()));
        let other = async {
            tokio::task::yield_now().await;
            limits.slot().await.send(async { 7 }).await
        };
        tokio::select! {
            biased;
            _ = hung => unreachable!("nothing ends a request that hangs"),
            answer = timeout(Duration::from_secs(60), other) => assert_eq!(answer.unwrap(), 7),
        }
        let waited = began.elapsed();
        assert!(
            waited <= 10 * PATIENCE + Duration::from_millis(10),
            "{waited:?}"
        );
    }
}
