//! Which shards get more than their share, and where to split them.

use crate::model::{HashKey, HashRange};
use crate::query::ShardStatus;

/// A hot shard has at least this many times the rows per second of the mean of the other open shards.
const HOT_FACTOR: f64 = 2.0;

/// Below this many rows per second no shard is hot.
const HOT_RATE: f64 = 10.0;

/// For each shard the hash key at which a split would halve it, if it is hot.
pub(super) fn split_keys(shards: &[ShardStatus]) -> Vec<Option<HashKey>> {
    let rate = |shard: &ShardStatus| shard.rows_per_second.map_or(0.0, |rates| rates.median);
    let open = || shards.iter().filter(|shard| !shard.is_closed);
    let others = open().count().saturating_sub(1);
    let total: f64 = open().map(rate).sum();
    let key = |shard: &ShardStatus| {
        let own = rate(shard);
        let mean_of_others = (total - own) / others as f64;
        let is_hot =
            !shard.is_closed && others > 0 && own >= HOT_RATE && own >= mean_of_others * HOT_FACTOR;
        is_hot.then(|| shard.hash_range.and_then(middle)).flatten()
    };
    shards.iter().map(key).collect()
}

/// The first hash key of the second half; `None` if the range has only one key.
fn middle(range: HashRange) -> Option<HashKey> {
    let HashRange { start, end } = range;
    (start < end).then(|| HashKey(start.0 + (end.0 - start.0) / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_halves_a_range() {
        let middle = |start, end| {
            middle(HashRange {
                start: HashKey(start),
                end: HashKey(end),
            })
        };
        assert_eq!(middle(0, u128::MAX), Some(HashKey(1 << 127)));
        assert_eq!(middle(10, 11), Some(HashKey(11)));
        assert_eq!(middle(10, 12), Some(HashKey(12)));
        assert_eq!(middle(10, 10), None);
        assert_eq!(middle(u128::MAX - 1, u128::MAX), Some(HashKey(u128::MAX)));
    }
}
