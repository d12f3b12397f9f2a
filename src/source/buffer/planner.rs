//! How much of what the buffers hold goes into the next batch.

use crate::source::rows::Extent;

/// Rows that are waiting in a shard.
pub(crate) trait Supply {
    /// As many rows from the first on as both caps allow, cut by bytes between Kinesis records only.
    fn extent(&self, rows: u64, bytes: usize) -> Extent;

    /// The rows of the first Kinesis record that has any, up to `rows`.
    fn first_record(&self, rows: u64) -> Extent;
}

/// What a batch reads at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// Rows of one shard.
    pub(crate) rows_per_shard: u64,
    /// Bytes of all shards together.
    pub(crate) bytes: usize,
}

impl Caps {
    pub(crate) const NONE: Self = Self {
        rows_per_shard: u64::MAX,
        bytes: usize::MAX,
    };
}

/// A shard and how many batches in a row had no room for its rows.
#[derive(Debug)]
pub(crate) struct Waiting<'a, S> {
    pub(crate) supply: &'a S,
    pub(crate) passed_over: u32,
}

/// The rows each of `shards` gives to the next batch.
///
/// What all want is given where it fits. Otherwise bytes are shared as water fills a tub: who wants
/// little gets all of it, the others the same. A shard whose next record is larger than its part
/// gets a record out of what is left, those that have waited longest first; the first of them gets
/// it in any case, so that every shard has its turn and no batch is empty. A batch is larger than
/// its cap by less than one record.
///
/// Costs a sort of the shards.
pub(crate) fn plan<S: Supply>(shards: &[Waiting<'_, S>], caps: Caps) -> Vec<u64> {
    let wanted: Vec<Extent> = shards
        .iter()
        .map(|shard| shard.supply.extent(caps.rows_per_shard, usize::MAX))
        .collect();
    let total = wanted
        .iter()
        .fold(0, |total: usize, extent| total.saturating_add(extent.bytes));
    if total <= caps.bytes {
        return wanted.iter().map(|extent| extent.rows).collect();
    }
    let level = level(
        wanted.iter().map(|extent| extent.bytes).collect(),
        caps.bytes,
    );
    let mut given: Vec<Extent> = (shards.iter().zip(&wanted))
        .map(|(shard, wanted)| {
            if wanted.bytes <= level {
                *wanted
            } else {
                shard.supply.extent(caps.rows_per_shard, level)
            }
        })
        .collect();
    let used: usize = given.iter().map(|extent| extent.bytes).sum();
    let mut left = caps.bytes.saturating_sub(used);
    let mut starved: Vec<usize> = (0..shards.len())
        .filter(|shard| given[*shard].rows == 0 && wanted[*shard].rows > 0)
        .collect();
    starved.sort_by_key(|shard| std::cmp::Reverse(shards[*shard].passed_over));
    for (turn, shard) in starved.into_iter().enumerate() {
        let record = shards[shard].supply.first_record(caps.rows_per_shard);
        if turn == 0 || record.bytes <= left {
            left = left.saturating_sub(record.bytes);
            given[shard] = record;
        }
    }
    given.iter().map(|extent| extent.rows).collect()
}

/// The largest part such that `wants`, each up to the part, are no more than `total` together.
fn level(mut wants: Vec<usize>, total: usize) -> usize {
    wants.sort_unstable();
    let mut left = total;
    let mut others = wants.len();
    for want in wants {
        let part = left / others;
        if want > part {
            return part;
        }
        left -= want;
        others -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests;
