//! Limits on the requests of one stream: how many are in flight, and how much memory their answers may take.
//!
//! Each shard has at most one request in flight, and no shard waits for the answer to another one. A slow
//! request gives up its slot and continues: it keeps its connection and its share of the memory, but does
//! not block other shards. If no memory is left, a request asks for a small page.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Up to this many shards have a slot each. A slot is a connection: together they stay well below the 1,024
/// open files that many systems allow a process.
const OWN_SLOTS: usize = 256;

/// How many further shards share a slot. An idle shard is polled five times per second, so one slot serves
/// eight of them if an answer takes less than 25 ms.
const SHARDS_PER_SLOT: usize = 8;

/// The minimum number of slots: shards can be split after the stream was described.
const MIN_SLOTS: usize = 64;

/// How long a request keeps its slot.
const SLOT_TIMEOUT: Duration = Duration::from_millis(250);

/// The smallest page, however little memory is left: smaller ones are not worth a request.
const MIN_PAGE_BYTES: usize = 64 * 1024;

/// The slots and the memory that the requests of one stream share.
#[derive(Debug)]
pub(crate) struct InFlightLimits {
    slots: Arc<Semaphore>,
    max_bytes: usize,
    reserved_bytes: AtomicUsize,
}

/// The permission to send a request.
#[derive(Debug)]
pub(crate) struct RequestSlot {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Memory for the answer to a request.
#[derive(Debug)]
pub(crate) struct AnswerMemory<'a> {
    limits: &'a InFlightLimits,
    bytes: usize,
}

impl InFlightLimits {
    /// Limits for requests to `shards` shards, whose answers share `max_bytes`.
    pub(crate) fn new(shards: usize, max_bytes: usize) -> Self {
        let shared = shards.saturating_sub(OWN_SLOTS).div_ceil(SHARDS_PER_SLOT);
        let slots = shards.min(OWN_SLOTS) + shared;
        Self {
            slots: Arc::new(Semaphore::new(slots.max(MIN_SLOTS))),
            max_bytes,
            reserved_bytes: AtomicUsize::new(0),
        }
    }

    /// Waits for a free slot, at most as long as a request keeps one.
    pub(crate) async fn slot(&self) -> RequestSlot {
        let permit = Arc::clone(&self.slots).acquire_owned().await;
        RequestSlot {
            _permit: permit.ok(),
        }
    }

    /// Reserves memory for a page of `wanted` bytes, or for a smaller one if there is less. Never waits.
    pub(crate) fn reserve(&self, wanted: usize) -> AnswerMemory<'_> {
        let share = |reserved: usize| {
            let free = self.max_bytes.saturating_sub(reserved);
            wanted.min(free.max(MIN_PAGE_BYTES))
        };
        let order = Ordering::Relaxed;
        let reserved = self
            .reserved_bytes
            .fetch_update(order, order, |reserved| Some(reserved + share(reserved)));
        AnswerMemory {
            limits: self,
            bytes: share(reserved.unwrap_or_else(|reserved| reserved)),
        }
    }
}

impl RequestSlot {
    /// Sends a request, and gives up the slot if the answer takes long.
    pub(crate) async fn send<T>(self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        tokio::select! {
            biased;
            answer = &mut request => return answer,
            () = tokio::time::sleep(SLOT_TIMEOUT) => {}
        }
        drop(self);
        request.await
    }
}

impl AnswerMemory<'_> {
    /// How large the answer may be.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for AnswerMemory<'_> {
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
    fn slots_grow_more_slowly_than_shards() {
        let slots = |shards| InFlightLimits::new(shards, MIB).slots.available_permits();
        assert_eq!([0, 1, 64, 200, 256].map(slots), [64, 64, 64, 200, 256]);
        assert_eq!([1_000, 10_000].map(slots), [349, 1_474]);
    }

    #[test]
    fn answers_share_memory_and_get_at_least_a_small_page() {
        let limits = InFlightLimits::new(4, 10 * MIB);
        let first = limits.reserve(8 * MIB);
        let second = limits.reserve(8 * MIB);
        let third = limits.reserve(8 * MIB);
        let small = limits.reserve(10);
        let bytes = [&first, &second, &third, &small].map(AnswerMemory::bytes);
        assert_eq!(bytes, [8 * MIB, 2 * MIB, MIN_PAGE_BYTES, 10]);
        drop((second, third));
        assert_eq!(limits.reserve(8 * MIB).bytes(), 2 * MIB - 10);
        drop((first, small));
        assert_eq!(limits.reserve(20 * MIB).bytes(), 10 * MIB);
        assert_eq!(limits.reserved_bytes.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_requests_block_others_only_briefly() {
        let limits = InFlightLimits::new(1, MIB);
        let began = Instant::now();
        let hang = async || limits.slot().await.send(pending::<()>()).await;
        let hung = futures::future::join_all((0..10 * MIN_SLOTS).map(|_| hang()));
        let other = async {
            tokio::task::yield_now().await;
            limits.slot().await.send(async { 7 }).await
        };
        tokio::select! {
            biased;
            _ = hung => unreachable!("hanging requests never end"),
            answer = timeout(Duration::from_secs(60), other) => assert_eq!(answer.unwrap(), 7),
        }
        let waited = began.elapsed();
        assert!(
            waited <= 10 * SLOT_TIMEOUT + Duration::from_millis(10),
            "{waited:?}"
        );
    }
}
