//! The records of one shard, stored compactly: sixteen bytes of overhead per record.
//!
//! Records are addressed by index, counted from the first record the shard ever stored. Arrival
//! times never decrease along a log, so an index can be found by time with binary search.

use std::collections::VecDeque;
use std::ops::Range;

use crate::model::UnixMillis;

/// Bytes per chunk; a larger record gets its own chunk.
const CHUNK_BYTES: usize = 256 * 1024;

/// Marks a record without a partition key; real keys have at most 1,024 bytes.
const NO_KEY: u16 = u16::MAX;

/// The records of a shard in order of arrival.
#[derive(Debug, Default)]
pub(in crate::kinesis) struct RecordLog {
    chunks: VecDeque<Chunk>,
    first: u64,
    next: u64,
    last_arrival: Option<UnixMillis>,
}

#[derive(Debug)]
struct Chunk {
    first: u64,
    bytes: Vec<u8>,
    records: Vec<Entry>,
}

/// The end of a record in its chunk. It starts where the previous record ends, with its key first.
#[derive(Debug, Clone, Copy)]
struct Entry {
    end: u32,
    key_bytes: u16,
    arrival: UnixMillis,
}

/// A record in a log.
#[derive(Debug, Clone, Copy)]
pub(in crate::kinesis) struct LoggedRecord<'a> {
    pub(in crate::kinesis) index: u64,
    pub(in crate::kinesis) arrival: UnixMillis,
    pub(in crate::kinesis) partition_key: Option<&'a str>,
    pub(in crate::kinesis) data: &'a [u8],
}

/// A range of records and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct Extent {
    pub(in crate::kinesis) indexes: Range<u64>,
    /// Bytes of payloads and partition keys.
    pub(in crate::kinesis) size_bytes: usize,
}

impl RecordLog {
    /// The index of the next record to arrive.
    pub(in crate::kinesis) fn next(&self) -> u64 {
        self.next
    }

    /// Appends a record and returns its index and arrival time: `now`, or that of the previous
    /// record if the clock went back.
    pub(in crate::kinesis) fn append(
        &mut self,
        data: &[u8],
        partition_key: Option<&str>,
        now: UnixMillis,
    ) -> (u64, UnixMillis) {
        let arrival = self.last_arrival.map_or(now, |last| last.max(now));
        self.last_arrival = Some(arrival);
        let key = partition_key.unwrap_or_default();
        let size = key.len() + data.len();
        let fits = |chunk: &Chunk| chunk.bytes.len() + size <= CHUNK_BYTES;
        if !self.chunks.back().is_some_and(fits) {
            if let Some(full) = self.chunks.back_mut() {
                full.records.shrink_to_fit();
                full.bytes.shrink_to_fit();
            }
            self.chunks.push_back(Chunk::starting_at(self.next));
        }
        let chunk = self
            .chunks
            .back_mut()
            .expect("a chunk was pushed if none had room");
        chunk.bytes.extend_from_slice(key.as_bytes());
        chunk.bytes.extend_from_slice(data);
        chunk.records.push(Entry {
            end: u32::try_from(chunk.bytes.len()).expect("a record is at most 10 MiB"),
            key_bytes: partition_key.map_or(NO_KEY, |key| {
                u16::try_from(key.len()).expect("a key is at most 256 characters")
            }),
            arrival,
        });
        let index = self.next;
        self.next += 1;
        (index, arrival)
    }

    /// The index of the first record that arrived at `time` or later; the next index if there is
    /// none.
    pub(in crate::kinesis) fn index_at_time(&self, time: UnixMillis) -> u64 {
        let older = |entry: &Entry| entry.arrival < time;
        let chunk = self
            .chunks
            .partition_point(|chunk| chunk.records.last().is_some_and(older));
        let index = self.chunks.get(chunk).map_or(self.next, |chunk| {
            chunk.first + chunk.records.partition_point(older) as u64
        });
        index.max(self.first)
    }

    /// The arrival time of the record at `index`; `None` past the last record.
    pub(in crate::kinesis) fn arrival_at(&self, index: u64) -> Option<UnixMillis> {
        let chunk = self.chunks.get(self.chunk_of(index))?;
        let entry = chunk.records.get(position_in_chunk(index, chunk.first))?;
        Some(entry.arrival)
    }

    /// Drops the records before `index`.
    pub(in crate::kinesis) fn trim(&mut self, index: u64) {
        self.first = self.first.max(index);
        while self.chunks.len() > 1 && self.chunks[1].first <= self.first {
            self.chunks.pop_front();
        }
    }

    /// As many records from `from` on as `limit` and `max_bytes` allow; at least one if there is
    /// any.
    pub(in crate::kinesis) fn extent(&self, from: u64, limit: usize, max_bytes: usize) -> Extent {
        let (mut to, mut size_bytes) = (from, 0);
        for chunk in self.chunks.range(self.chunk_of(from)..) {
            for position in position_in_chunk(to, chunk.first)..chunk.records.len() {
                let size = chunk.size_of(position);
                let full = (to - from) as usize == limit || size_bytes + size > max_bytes;
                if full && to > from {
                    return Extent {
                        indexes: from..to,
                        size_bytes,
                    };
                }
                size_bytes += size;
                to += 1;
            }
        }
        Extent {
            indexes: from..to,
            size_bytes,
        }
    }

    /// The records at `indexes`, a range returned by [`extent`](Self::extent).
    pub(in crate::kinesis) fn records(
        &self,
        indexes: Range<u64>,
    ) -> impl Iterator<Item = LoggedRecord<'_>> {
        let Range { start, end } = indexes;
        self.chunks
            .range(self.chunk_of(start)..)
            .take_while(move |chunk| chunk.first < end)
            .flat_map(move |chunk| {
                let last = position_in_chunk(end, chunk.first).min(chunk.records.len());
                (position_in_chunk(start, chunk.first)..last).map(|position| chunk.record(position))
            })
    }

    /// The index of the chunk that holds `index`, or would hold it.
    fn chunk_of(&self, index: u64) -> usize {
        self.chunks
            .partition_point(|chunk| chunk.first <= index)
            .saturating_sub(1)
    }
}

impl Chunk {
    fn starting_at(first: u64) -> Self {
        Self {
            first,
            bytes: Vec::new(),
            records: Vec::new(),
        }
    }

    fn start_of(&self, position: usize) -> usize {
        position
            .checked_sub(1)
            .map_or(0, |before| self.records[before].end as usize)
    }

    fn size_of(&self, position: usize) -> usize {
        self.records[position].end as usize - self.start_of(position)
    }

    fn record(&self, position: usize) -> LoggedRecord<'_> {
        let entry = self.records[position];
        let bytes = &self.bytes[self.start_of(position)..entry.end as usize];
        let has_key = entry.key_bytes != NO_KEY;
        let (key, data) = bytes.split_at(if has_key { entry.key_bytes as usize } else { 0 });
        let key = str::from_utf8(key).expect("keys are stored from strings");
        LoggedRecord {
            index: self.first + position as u64,
            arrival: entry.arrival,
            partition_key: has_key.then_some(key),
            data,
        }
    }
}

fn position_in_chunk(index: u64, first: u64) -> usize {
    usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(sizes: &[usize]) -> RecordLog {
        let mut log = RecordLog::default();
        for (second, size) in (1..).zip(sizes) {
            log.append(&vec![b'x'; *size], Some("k"), UnixMillis(second * 1_000));
        }
        log
    }

    #[test]
    fn records_are_read_back_across_chunk_boundaries() {
        let mut log = RecordLog::default();
        for number in 0..5_000_u32 {
            let key = format!("key-{number}");
            let key = (!number.is_multiple_of(3)).then_some(key.as_str());
            log.append(
                &number.to_be_bytes().repeat(40),
                key,
                UnixMillis(i64::from(number)),
            );
        }
        assert!(log.chunks.len() > 2);
        let extent = log.extent(1_000, 3_000, usize::MAX);
        assert_eq!(extent.indexes, 1_000..4_000);
        let mut seen = 1_000_u32;
        for record in log.records(extent.indexes) {
            assert_eq!(record.index, u64::from(seen));
            assert_eq!(record.data, seen.to_be_bytes().repeat(40));
            assert_eq!(record.arrival, UnixMillis(i64::from(seen)));
            let key = format!("key-{seen}");
            assert_eq!(
                record.partition_key,
                (!seen.is_multiple_of(3)).then_some(key.as_str())
            );
            seen += 1;
        }
        assert_eq!(seen, 4_000);
    }

    #[test]
    fn a_record_has_sixteen_bytes_of_overhead() {
        assert_eq!(size_of::<Entry>(), 16);
    }

    #[test]
    fn an_extent_has_at_least_one_record_even_if_it_is_too_large() {
        let log = log_of(&[300_000, 10, 300_000]);
        assert_eq!(log.extent(0, 10, 1_000).indexes, 0..1);
        assert_eq!(log.extent(1, 10, 1_000).indexes, 1..2);
        assert_eq!(log.extent(1, 10, 11 + 300_001).indexes, 1..3);
        assert_eq!(log.extent(3, 10, 1_000).indexes, 3..3);
    }

    #[test]
    fn a_time_maps_to_the_first_record_at_or_after_it() {
        let log = log_of(&[10; 4]);
        assert_eq!(log.index_at_time(UnixMillis(0)), 0);
        assert_eq!(log.index_at_time(UnixMillis(2_000)), 1);
        assert_eq!(log.index_at_time(UnixMillis(2_001)), 2);
        assert_eq!(log.index_at_time(UnixMillis(4_001)), 4);
        assert_eq!(log.arrival_at(3), Some(UnixMillis(4_000)));
        assert_eq!(log.arrival_at(4), None);
    }

    #[test]
    fn arrival_times_never_decrease() {
        let mut log = RecordLog::default();
        log.append(b"", None, UnixMillis(5_000));
        assert_eq!(
            log.append(b"", None, UnixMillis(4_000)),
            (1, UnixMillis(5_000))
        );
    }

    #[test]
    fn trimming_frees_chunks_and_hides_records_from_time_lookups() {
        let mut log = log_of(&[200_000; 6]);
        assert_eq!(log.chunks.len(), 6);
        log.trim(4);
        assert_eq!(log.chunks.len(), 2);
        assert_eq!(log.index_at_time(UnixMillis(0)), 4);
        assert_eq!(log.next(), 6);
    }
}
