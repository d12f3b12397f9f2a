//! [`Groups`]: the groups of one partition in memory, an append-only store with an index.
//!
//! A group is never changed in place. A batch removes the groups it touches, merges them with its rows, and adds the
//! results as a new chunk; the old rows are dead. Chunks that are small or mostly dead are compacted, in proportion
//! to what is added, so the cost of a batch depends on the groups it touches.

mod chunk;
mod compaction;
mod index;
mod layout;
mod sample;

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::{Arc, Weak};

use datafusion::arrow::array::{Array, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::{Result, resources_datafusion_err};
use hashbrown::{DefaultHashBuilder, HashTable};

pub(crate) use self::chunk::ChunkImage;
use self::chunk::{Chunk, ChunkColumns, gathered};
pub(crate) use self::layout::Layout;
pub(crate) use self::sample::{ChunkSample, GroupTexts};

/// The largest chunk that compaction creates, in groups.
const CHUNK_GROUPS: usize = 65_536;

/// The location of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowLocation {
    /// The hash of the lookup key.
    hash: u32,
    chunk: u32,
    row: u32,
}

/// The groups of one partition.
#[derive(Debug)]
pub(crate) struct Groups {
    layout: Arc<Layout>,
    hasher: DefaultHashBuilder,
    index: HashTable<RowLocation>,
    chunks: Vec<Option<Chunk>>,
    /// Free chunk numbers.
    free: Vec<u32>,
    live: usize,
    chunk_bytes: usize,
    /// Columns of dropped chunks that a snapshot may still use.
    replaced: Vec<Weak<ChunkColumns>>,
}

/// Spreads a hash over all bits that the hash table uses.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Groups {
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        Self {
            layout,
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            chunks: Vec::new(),
            free: Vec::new(),
            live: 0,
            chunk_bytes: 0,
            replaced: Vec::new(),
        }
    }

    /// The number of groups.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// The memory of the groups.
    pub(crate) fn bytes(&self) -> usize {
        self.index.allocation_size() + self.chunk_bytes
    }

    /// The memory of replaced groups that a snapshot in progress still uses.
    pub(crate) fn replaced_bytes(&self) -> usize {
        let held = self.replaced.iter().filter_map(Weak::upgrade);
        held.map(|columns| columns.bytes).sum()
    }

    /// A lower bound of the ends of the groups.
    pub(crate) fn least_end(&self) -> i64 {
        let chunks = self.chunks.iter().flatten();
        chunks
            .map(|chunk| chunk.least_end)
            .min()
            .unwrap_or(i64::MAX)
    }

    /// Removes and returns the groups of `rows`: those of the same key or, if groups are sessions, those that overlap
    /// a row. Returns each group once.
    pub(crate) fn take(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        if self.live == 0 {
            return self.gather(&[]);
        }
        let keys = self.layout.keys(rows)?;
        let found = match self.layout.bounds(rows)? {
            None => self.remove_equal(&keys),
            Some((starts, ends)) => {
                let bounds = starts.into_iter().zip(ends);
                self.remove_met(&keys, bounds)
            }
        };
        let taken = self.gather(&found)?;
        for location in found {
            self.kill(location);
        }
        Ok(taken)
    }

    /// Adds new groups.
    ///
    /// # Errors
    /// A group exists already, or occurs in `rows` twice.
    pub(crate) fn put(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let count = rows.num_rows();
        if count > self.live {
            self.index.reserve(count, |location| spread(location.hash));
        }
        let number = self.add(Chunk::new(&self.layout, rows)?);
        if !(0..count).all(|row| self.insert_new(number, row)) {
            return Err(resources_datafusion_err!(
                "the groups of a batch did not fit into memory at once, so the aggregation emitted one of \
                 them twice: raise the memory limit (datafusion.runtime.memory_limit)"
            ));
        }
        self.compact(number)
    }

    /// Adds groups that are known to be new.
    pub(crate) fn load(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let chunk = Chunk::new(&self.layout, rows)?;
        let number = self.add(chunk);
        self.index_chunk(number);
        Ok(())
    }

    /// The rows whose groups do not exist.
    pub(crate) fn absent(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let keys = self.layout.keys(rows)?;
        let absent = (0..keys.len()).map(|row| Some(self.find_whole(keys.value(row)).is_none()));
        let absent: BooleanArray = absent.collect();
        Ok(filter_record_batch(rows, &absent)?)
    }

    /// The existing groups of these keys, each once.
    pub(crate) fn find(&self, keys: &RecordBatch) -> Result<RecordBatch> {
        let keys = self.layout.keys(keys)?;
        let mut seen = HashSet::new();
        let found = (0..keys.len()).filter_map(|row| self.find_whole(keys.value(row)));
        let found = found.filter(|location| seen.insert((location.chunk, location.row)));
        let found: Vec<RowLocation> = found.collect();
        self.gather(&found)
    }

    /// The groups that end at `limit` or before, which are not removed. Checks each chunk, and walks over
    /// those that may have such a group.
    pub(crate) fn ending(&self, limit: i64) -> Result<RecordBatch> {
        self.gather(&self.ending_places(limit))
    }

    /// Removes the groups that end at `limit` or before; returns their number.
    pub(crate) fn close(&mut self, limit: i64) -> Result<usize> {
        let closed = self.ending_places(limit);
        for location in &closed {
            let key = self
                .chunk(location.chunk)
                .columns
                .keys
                .value(location.row as usize);
            let hash = self.hash(key);
            let same =
                |other: &RowLocation| other.chunk == location.chunk && other.row == location.row;
            if let Ok(entry) = self.index.find_entry(spread(hash), same) {
                entry.remove();
            }
            self.kill(*location);
        }
        for number in 0..self.chunks.len() {
            self.drop_if_dead(number);
        }
        // Release the memory of an index that has become mostly empty.
        if self.index.capacity() > 4 * self.live.max(1_024) {
            self.index.shrink_to_fit(|location| spread(location.hash));
        }
        Ok(closed.len())
    }

    /// A snapshot of all chunks, which later changes do not affect.
    pub(crate) fn image(&self) -> Vec<ChunkImage> {
        let chunks = self.chunks.iter().flatten();
        chunks.map(Chunk::image).collect()
    }

    fn hash(&self, key: &[u8]) -> u32 {
        // The lower half of the hash is sufficient.
        self.hasher.hash_one(self.layout.lookup_key(key)) as u32
    }

    fn chunk(&self, number: u32) -> &Chunk {
        self.chunks[number as usize]
            .as_ref()
            .expect("the index refers only to existing chunks")
    }

    fn key(&self, location: &RowLocation) -> &[u8] {
        self.chunk(location.chunk)
            .columns
            .keys
            .value(location.row as usize)
    }

    fn find_whole(&self, key: &[u8]) -> Option<RowLocation> {
        let hash = self.hash(key);
        let same = |location: &RowLocation| location.hash == hash && self.key(location) == key;
        self.index.find(spread(hash), same).copied()
    }

    fn kill(&mut self, location: RowLocation) {
        if let Some(chunk) = &mut self.chunks[location.chunk as usize] {
            chunk.kill(location.row as usize);
            self.live -= 1;
        }
    }

    fn gather(&self, locations: &[RowLocation]) -> Result<RecordBatch> {
        if locations.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(self.layout.schema())));
        }
        let (chunks, locations) = self.located(locations);
        let (keys, states) = gathered(&chunks, &locations)?;
        self.layout.rows(keys, &states)
    }

    /// The chunks of `locations`, and the positions in them.
    fn located(&self, locations: &[RowLocation]) -> (Vec<&Chunk>, Vec<(usize, usize)>) {
        let mut numbers: HashMap<u32, usize> = HashMap::new();
        let mut chunks = Vec::new();
        let locations = locations.iter().map(|location| {
            let number = *numbers.entry(location.chunk).or_insert_with(|| {
                chunks.push(self.chunk(location.chunk));
                chunks.len() - 1
            });
            (number, location.row as usize)
        });
        let locations = locations.collect();
        (chunks, locations)
    }

    fn ending_places(&self, limit: i64) -> Vec<RowLocation> {
        let mut locations = Vec::new();
        for (number, chunk) in self.chunks.iter().enumerate() {
            let Some(chunk) = chunk.as_ref().filter(|chunk| chunk.least_end <= limit) else {
                continue;
            };
            let rows = chunk.ends.iter().enumerate();
            let rows = rows.filter(|(row, end)| **end <= limit && chunk.is_live(*row));
            locations.extend(rows.map(|(row, _)| RowLocation {
                hash: 0,
                chunk: number as u32,
                row: row as u32,
            }));
        }
        locations
    }

    fn add(&mut self, chunk: Chunk) -> u32 {
        self.live += chunk.live_groups;
        self.chunk_bytes += chunk.bytes;
        match self.free.pop() {
            Some(number) => {
                self.chunks[number as usize] = Some(chunk);
                number
            }
            None => {
                self.chunks.push(Some(chunk));
                (self.chunks.len() - 1) as u32
            }
        }
    }

    fn index_chunk(&mut self, number: u32) {
        let rows = self.chunk(number).len();
        self.index.reserve(rows, |location| spread(location.hash));
        for row in 0..rows {
            self.insert(number, row);
        }
    }
}

/// Whether two sessions overlap or touch, and so are one. Sessions without a time have the smallest number, and touch
/// only each other.
pub(super) fn meets(one: (i64, i64), other: (i64, i64)) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

#[cfg(test)]
mod tests;
