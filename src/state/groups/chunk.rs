//! Groups that were put down together.

use datafusion::arrow::array::{Array, ArrayRef, BinaryArray, BooleanArray, RecordBatch};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer};
use datafusion::arrow::compute::{filter, interleave};
use datafusion::common::Result;

use super::layout::Layout;

/// Groups that were put down together. What becomes of one later is written elsewhere, and the one
/// here is dead.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) keys: BinaryArray,
    pub(super) states: Vec<ArrayRef>,
    /// When each ends, where groups end.
    pub(super) ends: Vec<i64>,
    /// The least of `ends`, dead groups counted.
    pub(super) least_end: i64,
    /// Start and end of each session.
    pub(super) bounds: Option<(Vec<i64>, Vec<i64>)>,
    /// A bit for each group that is not dead.
    live: Vec<u64>,
    pub(super) live_groups: usize,
    pub(super) bytes: usize,
}

impl Chunk {
    /// The groups of `rows`, all alive.
    pub(super) fn new(layout: &Layout, rows: &RecordBatch) -> Result<Self> {
        let ends = match layout.expiry() {
            Some(expiry) => expiry.ends(rows)?,
            None => Vec::new(),
        };
        let (keys, states) = (layout.keys(rows)?, layout.states(rows)?);
        Ok(Self::of(keys, states, ends, layout.bounds(rows)?))
    }

    /// The groups at `places` of `chunks`, in this order, in memory of their own.
    pub(super) fn merged(chunks: &[&Self], places: &[(usize, usize)]) -> Result<Self> {
        let (keys, states) = gathered(chunks, places)?;
        let ends = chunks.iter().any(|chunk| !chunk.ends.is_empty());
        let ends = places
            .iter()
            .filter(|_| ends)
            .map(|(chunk, row)| chunks[*chunk].ends[*row]);
        let bound = |(chunk, row): &(usize, usize)| {
            let (starts, ends) = chunks[*chunk].bounds.as_ref()?;
            Some((starts[*row], ends[*row]))
        };
        let bounds = places
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
        Self {
            bytes: keys.get_array_memory_size()
                + arrays.sum::<usize>()
                + numbers * size_of::<u64>(),
            least_end: ends.iter().copied().min().unwrap_or(i64::MAX),
            keys,
            states,
            ends,
            bounds,
            live,
            live_groups: groups,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_live(&self, row: usize) -> bool {
        self.live[row / 64] >> (row % 64) & 1 == 1
    }

    pub(super) fn kill(&mut self, row: usize) {
        let (word, bit) = (&mut self.live[row / 64], 1 << (row % 64));
        self.live_groups -= usize::from(*word & bit != 0);
        *word &= !bit;
    }

    /// The places of the groups that are not dead.
    pub(super) fn live_rows(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|row| self.is_live(*row))
    }

    /// The groups that are not dead, as they are now.
    pub(super) fn image(&self) -> ChunkImage {
        let whole = self.live_groups == self.len();
        ChunkImage {
            keys: self.keys.clone(),
            states: self.states.clone(),
            live: (!whole).then(|| self.live.clone()),
        }
    }
}

/// What a chunk held at some moment.
#[derive(Debug)]
pub(in crate::state) struct ChunkImage {
    keys: BinaryArray,
    states: Vec<ArrayRef>,
    /// `None` where all were alive.
    live: Option<Vec<u64>>,
}

impl ChunkImage {
    /// The groups as rows of the plan.
    pub(in crate::state) fn rows(self, layout: &Layout) -> Result<RecordBatch> {
        let Some(live) = self.live else {
            return layout.rows(self.keys, &self.states);
        };
        let bits = BooleanBuffer::new(Buffer::from_vec(live), 0, self.keys.len());
        let live = BooleanArray::new(bits, None);
        let alive = |column: &dyn Array| filter(column, &live);
        let keys = alive(&self.keys)?;
        let states = self.states.iter().map(|state| alive(state));
        let states = states.collect::<Result<Vec<_>, _>>()?;
        layout.rows(BinaryArray::from(keys.to_data()), &states)
    }
}

/// Keys and states of the groups at `places` of `chunks`, which are some, in this order.
pub(super) fn gathered(
    chunks: &[&Chunk],
    places: &[(usize, usize)],
) -> Result<(BinaryArray, Vec<ArrayRef>)> {
    let column = |column: fn(&Chunk, usize) -> &dyn Array, number: usize| {
        let arrays: Vec<&dyn Array> = chunks.iter().map(|chunk| column(chunk, number)).collect();
        interleave(&arrays, places)
    };
    let keys = column(|chunk, _| &chunk.keys, 0)?;
    let width = chunks.first().map_or(0, |chunk| chunk.states.len());
    let states = (0..width).map(|state| column(|chunk, state| &*chunk.states[state], state));
    let states = states.collect::<Result<_, _>>()?;
    Ok((BinaryArray::from(keys.to_data()), states))
}
