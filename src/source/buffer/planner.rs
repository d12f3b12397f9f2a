//! Plans how many of the buffered rows of each shard the next batch takes.

use crate::source::rows::Extent;

/// The rows of a shard that no batch has taken.
pub(crate) trait PendingRows {
    /// As many rows as both caps allow, starting at the first pending one. The byte cap cuts only between
    /// Kinesis records.
    fn extent(&self, rows: u64, bytes: usize) -> Extent;

    /// The rows of the first Kinesis record that has any, up to `rows`.
    fn first_record(&self, rows: u64) -> Extent;
}

/// The maximum size of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// Rows per shard.
    pub(crate) rows_per_shard: u64,
    /// Bytes over all shards.
    pub(crate) bytes: usize,
}

impl Caps {
    pub(crate) const NONE: Self = Self {
        rows_per_shard: u64::MAX,
        bytes: usize::MAX,
    };
}

/// A shard with pending rows.
#[derive(Debug)]
pub(crate) struct PendingShard<'a, R> {
    pub(crate) rows: &'a R,
    /// In how many consecutive batches no row of it had room.
    pub(crate) passed_over: u32,
}

/// The number of rows that the next batch takes from each of `shards`.
///
/// If everything fits, it takes everything. Otherwise bytes are shared by max-min fairness: shards with few
/// bytes are taken completely, and the others get equal parts. If the next record of a shard is larger than
/// its part, the shard gets one record from the remaining bytes; those that were passed over most often come
/// first, and the first one always gets its record. So every shard makes progress, no batch is empty, and a
/// batch exceeds its cap by less than one record.
///
/// Sorts the shards.
pub(crate) fn plan<R: PendingRows>(shards: &[PendingShard<'_, R>], caps: Caps) -> Vec<u64> {
    let wanted: Vec<Extent> = shards
        .iter()
        .map(|shard| shard.rows.extent(caps.rows_per_shard, usize::MAX))
        .collect();
    let total = wanted
        .iter()
        .fold(0, |total: usize, extent| total.saturating_add(extent.bytes));
    if total <= caps.bytes {
        return wanted.iter().map(|extent| extent.rows).collect();
    }
    let share = fair_share(
        wanted.iter().map(|extent| extent.bytes).collect(),
        caps.bytes,
    );
    let mut given: Vec<Extent> = (shards.iter().zip(&wanted))
        .map(|(shard, wanted)| {
            if wanted.bytes <= share {
                *wanted
            } else {
                shard.rows.extent(caps.rows_per_shard, share)
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
        let record = shards[shard].rows.first_record(caps.rows_per_shard);
        if turn == 0 || record.bytes <= left {
            left = left.saturating_sub(record.bytes);
            given[shard] = record;
        }
    }
    given.iter().map(|extent| extent.rows).collect()
}

/// The largest share such that the sum of `wants`, each limited to the share, is at most `total`.
fn fair_share(mut wants: Vec<usize>, total: usize) -> usize {
    wants.sort_unstable();
    let mut left = total;
    let mut others = wants.len();
    for want in wants {
        let share = left / others;
        if want > share {
            return share;
        }
        left -= want;
        others -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests;
