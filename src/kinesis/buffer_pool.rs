//! Memory for bodies and for columns of pages, used again and again.
//!
//! The system clears fresh memory page by page when it is first touched, which takes longer than decoding a body
//! into it. A buffer returns to the pool when the last array that shares it is dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use datafusion::arrow::buffer::Buffer;

/// The memory that is kept for later, in bytes.
const KEPT_BYTES: usize = 32 << 20;

/// Smaller buffers are left to the allocator, which reuses them itself. The capacities of larger ones are multiples
/// of it, so that bodies of similar lengths fit into the same buffers.
const LEAST_BYTES: usize = 128 << 10;

/// Buffers that are not in use. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct BufferPool(Arc<Mutex<Vec<Vec<u8>>>>);

impl BufferPool {
    /// An empty buffer with a capacity of at least `bytes`.
    pub(crate) fn take(&self, bytes: usize) -> Vec<u8> {
        self.take_up_to(bytes, usize::MAX)
    }

    /// The smallest buffer with a capacity from `bytes` to `most_bytes`, or a new one.
    fn take_up_to(&self, bytes: usize, most_bytes: usize) -> Vec<u8> {
        if bytes < LEAST_BYTES {
            return Vec::with_capacity(bytes);
        }
        let mut buffers = self.locked();
        let fitting = buffers.iter().enumerate().filter(|(_, buffer)| {
            let capacity = buffer.capacity();
            capacity >= bytes && capacity <= most_bytes
        });
        match fitting.min_by_key(|(_, buffer)| buffer.capacity()) {
            Some((index, _)) => buffers.remove(index),
            None => Vec::with_capacity(bytes.next_multiple_of(LEAST_BYTES)),
        }
    }

    /// Keeps the memory of `buffer`. If too much is kept, the buffers that were kept longest are freed.
    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() < LEAST_BYTES {
            return;
        }
        buffer.clear();
        let mut buffers = self.locked();
        buffers.push(buffer);
        let mut kept_bytes: usize = buffers.iter().map(Vec::capacity).sum();
        while kept_bytes > KEPT_BYTES {
            kept_bytes -= buffers.remove(0).capacity();
        }
    }

    /// The bytes as a buffer of arrays, of which at most half is unused.
    pub(super) fn shared(&self, mut bytes: Vec<u8>) -> Buffer {
        let used = bytes.len();
        if bytes.capacity() / 2 > used {
            let mut smaller = self.take_up_to(used, used * 2);
            smaller.extend_from_slice(&bytes);
            self.give_back(std::mem::replace(&mut bytes, smaller));
        }
        if bytes.capacity() < LEAST_BYTES {
            return Buffer::from_vec(bytes);
        }
        let pool = self.clone();
        Buffer::from(Bytes::from_owner(Pooled { bytes, pool }))
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes whose memory returns to its pool.
struct Pooled {
    bytes: Vec<u8>,
    pool: BufferPool,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(pool: &BufferPool) -> Vec<usize> {
        pool.locked().iter().map(Vec::capacity).collect()
    }

    #[test]
    fn a_buffer_returns_when_the_last_array_is_dropped() {
        let pool = BufferPool::default();
        let mut bytes = pool.take(LEAST_BYTES + 1);
        let (start, capacity) = (bytes.as_ptr(), bytes.capacity());
        assert_eq!(capacity, 2 * LEAST_BYTES);
        bytes.resize(LEAST_BYTES + 1, 7);
        let buffer = pool.shared(bytes);
        assert_eq!(buffer.as_ptr(), start);
        let part = buffer.slice_with_length(10, 5);
        drop(buffer);
        assert_eq!((part.as_slice(), kept(&pool)), (&[7; 5][..], vec![]));
        drop(part);
        assert_eq!(kept(&pool), [capacity]);
        let again = pool.take(LEAST_BYTES);
        assert_eq!((again.as_ptr(), again.len()), (start, 0));
        assert!(kept(&pool).is_empty());
    }

    #[test]
    fn small_buffers_are_not_kept() {
        let pool = BufferPool::default();
        let bytes = pool.take(LEAST_BYTES - 1);
        pool.give_back(bytes);
        drop(pool.shared(vec![1, 2, 3]));
        assert!(kept(&pool).is_empty());
    }

    #[test]
    fn the_smallest_buffer_that_is_large_enough_is_taken() {
        let pool = BufferPool::default();
        for units in [4, 2, 3] {
            pool.give_back(Vec::with_capacity(units * LEAST_BYTES));
        }
        let taken = pool.take(LEAST_BYTES + 1).capacity();
        assert_eq!(taken, 2 * LEAST_BYTES);
        assert_eq!(kept(&pool), [4 * LEAST_BYTES, 3 * LEAST_BYTES]);
        assert_eq!(pool.take(5 * LEAST_BYTES).capacity(), 5 * LEAST_BYTES);
    }

    /// A page of few bytes must not hold the memory of a large one.
    #[test]
    fn a_buffer_that_is_mostly_unused_is_replaced() {
        let pool = BufferPool::default();
        for used in [3, LEAST_BYTES, 4 * LEAST_BYTES] {
            let mut bytes = pool.take(10 * LEAST_BYTES);
            bytes.resize(used, 1);
            let buffer = pool.shared(bytes);
            assert_eq!(buffer.as_slice(), vec![1; used]);
            assert!(kept(&pool).contains(&(10 * LEAST_BYTES)), "{used}");
        }
        let mut bytes = pool.take(10 * LEAST_BYTES);
        bytes.resize(5 * LEAST_BYTES, 1);
        let _buffer = pool.shared(bytes);
        assert!(!kept(&pool).contains(&(10 * LEAST_BYTES)));
    }

    #[test]
    fn the_memory_that_is_kept_is_bounded() {
        let pool = BufferPool::default();
        for bytes in [10 << 20, 14 << 20, 8 << 20, KEPT_BYTES + 1] {
            pool.give_back(Vec::with_capacity(bytes));
            assert!(kept(&pool).iter().sum::<usize>() <= KEPT_BYTES);
        }
        assert!(kept(&pool).is_empty());
    }
}
