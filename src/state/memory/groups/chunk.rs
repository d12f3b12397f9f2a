//! [`Chunk`]: groups that one batch stored together.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BinaryArray, BooleanArray, RecordBatch};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer};
use datafusion::arrow::compute::{filter, interleave};
use datafusion::common::Result;

use super::layout::Layout;

/// Keys and states of groups. A snapshot in progress keeps them after the chunk is dropped.
#[derive(Debug)]
pub(super) struct ChunkColumns {
    pub(super) keys: BinaryArray,
    pub(super) states: Vec<ArrayRef>,
    /// Their memory.
    pub(super) bytes: usize,
}

/// Groups that were added together. A later version of a group is in another chunk, and the row here is dead.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) columns: Arc<ChunkColumns>,
    /// The end of each group, if groups end.
    pub(super) ends: Vec<i64>,
    /// The smallest of `ends`, including dead groups.
    pub(super) least_end: i64,
    /// Start and end of each session.
    pub(super) bounds: Option<(Vec<i64>, Vec<i64>)>,
    /// A set bit for each live row.
    live: Vec<u64>,
    pub(super) live_groups: usize,
    pub(super) bytes: usize,
}

impl Chunk {
    /// A chunk of `rows`, all live.
    pub(super) fn new(layout: &Layout, rows: &RecordBatch) -> Result<Self> {
        let ends = match layout.expiry() {
            Some(expiry) => expiry.ends(rows)?,
            None => Vec::new(),
        };
        let (keys, states) = (layout.keys(rows)?, layout.states(rows)?);
        Ok(Self::of(keys, states, ends, layout.bounds(rows)?))
    }

    /// Copies the groups at `locations` of `chunks` into a new chunk, in this order.
    pub(super) fn merged(chunks: &[&Self], locations: &[(usize, usize)]) -> Result<Self> {
        let (keys, states) = gathered(chunks, locations)?;
        let ends = chunks.iter().any(|chunk| !chunk.ends.is_empty());
        let ends = locations
            .iter()
            .filter(|_| ends)
            .map(|(chunk, row)| chunks[*chunk].ends[*row]);
        let bound = |(chunk, row): &(usize, usize)| {
            let (starts, ends) = chunks[*chunk].bounds.as_ref()?;
            Some((starts[*row], ends[*row]))
        };
        let bounds = locations
            .iter()
            .map(bound)
            .collect::<Option<(Vec<_>, Vec<_>)>>();
        let bounds = bounds.filter(|_| chunks.iter().all(|chunk| chunk.bounds.is_some()));
        Ok(Self::of(keys, states, ends.collect(), bounds))
    }

    fn of(
        keys: BinaryArray,
        states: Vec<ArrayRef>,
        ends: Vec<i64>,
        bounds: Option<(Vec<i64>, Vec<i64>)>,
    ) -> Self {
        let groups = keys.len();
        let mut live = vec![u64::MAX; groups.div_ceil(64)];
        if let (Some(last), rest @ 1..) = (live.last_mut(), groups % 64) {
            *last = (1 << rest) - 1;
        }
        let arrays = states.iter().map(|state| state.get_array_memory_size());
        let bound_pairs = bounds.as_ref().map_or(0, |(starts, _)| starts.len());
        let numbers = ends.len() + 2 * bound_pairs + live.len();
        let columns = ChunkColumns {
            bytes: keys.get_array_memory_size() + arrays.sum::<usize>(),
            keys,
            states,
        };
        Self {
            bytes: columns.bytes + numbers * size_of::<u64>(),
            least_end: ends.iter().copied().min().unwrap_or(i64::MAX),
            columns: Arc::new(columns),
            ends,
            bounds,
            live,
            live_groups: groups,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.columns.keys.len()
    }

    pub(super) fn is_live(&self, row: usize) -> bool {
        self.live[row / 64] >> (row % 64) & 1 == 1
    }

    pub(super) fn kill(&mut self, row: usize) {
        let (word, bit) = (&mut self.live[row / 64], 1 << (row % 64));
        self.live_groups -= usize::from(*word & bit != 0);
        *word &= !bit;
    }

    /// The live rows.
    pub(super) fn live_rows(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|row| self.is_live(*row))
    }

    /// A snapshot of the live rows.
    pub(super) fn image(&self) -> ChunkImage {
        let whole = self.live_groups == self.len();
        ChunkImage {
            columns: Arc::clone(&self.columns),
            live: (!whole).then(|| self.live.clone()),
        }
    }
}

/// A snapshot of a chunk.
#[derive(Debug, Clone)]
pub(crate) struct ChunkImage {
    columns: Arc<ChunkColumns>,
    /// `None` if all rows are live.
    live: Option<Vec<u64>>,
}

impl ChunkImage {
    /// The groups, in the columns of the plan.
    pub(crate) fn rows(self, layout: &Layout) -> Result<RecordBatch> {
        let groups = self.columns.keys.len();
        self.part(layout, 0..groups)
    }

    /// The groups, in the columns of the plan, at most `rows` at a time.
    pub(crate) fn parts(
        self,
        layout: Arc<Layout>,
        rows: usize,
    ) -> impl Iterator<Item = Result<RecordBatch>> {
        let groups = self.columns.keys.len();
        let starts = (0..groups).step_by(rows.max(1));
        starts.map(move |start| self.part(&layout, start..groups.min(start + rows)))
    }

    fn part(&self, layout: &Layout, range: Range<usize>) -> Result<RecordBatch> {
        let ChunkColumns { keys, states, .. } = &*self.columns;
        let (start, count) = (range.start, range.len());
        let keys = keys.slice(start, count);
        let states = states.iter().map(|state| state.slice(start, count));
        let states: Vec<ArrayRef> = states.collect();
        let Some(live) = &self.live else {
            return layout.rows(keys, &states);
        };
        let bits = BooleanBuffer::new(Buffer::from_slice_ref(live), start, count);
        let live = BooleanArray::new(bits, None);
        let alive = |column: &dyn Array| filter(column, &live);
        let keys = alive(&keys)?;
        let states = states.iter().map(|state| alive(state));
        let states = states.collect::<Result<Vec<_>, _>>()?;
        layout.rows(BinaryArray::from(keys.to_data()), &states)
    }
}

/// Keys and states of the groups at `locations` of `chunks`, in this order; there is at least one.
pub(super) fn gathered(
    chunks: &[&Chunk],
    locations: &[(usize, usize)],
) -> Result<(BinaryArray, Vec<ArrayRef>)> {
    let column = |column: fn(&Chunk, usize) -> &dyn Array, number: usize| {
        let arrays: Vec<&dyn Array> = chunks.iter().map(|chunk| column(chunk, number)).collect();
        interleave(&arrays, locations)
    };
    let keys = column(|chunk, _| &chunk.columns.keys, 0)?;
    let width = chunks.first().map_or(0, |chunk| chunk.columns.states.len());
    let states =
        (0..width).map(|state| column(|chunk, state| &*chunk.columns.states[state], state));
    let states = states.collect::<Result<_, _>>()?;
    Ok((BinaryArray::from(keys.to_data()), states))
}
