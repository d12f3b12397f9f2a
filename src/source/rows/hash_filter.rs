//! Decides which user records belong to their shard: producers with an outdated shard map write some to the
//! wrong shard.

use crate::kinesis::RecordDistribution;
use crate::model::HashRange;
use crate::options::HashFilter;

/// The hash range that user records of a shard must be in; `None` if they are not filtered. A producer with an
/// outdated shard map writes only to shards that were created by a reshard, which have a parent.
pub(crate) fn hash_filter_range(
    filter: HashFilter,
    distribution: RecordDistribution,
    has_parent: bool,
    hash_range: HashRange,
) -> Option<HashRange> {
    let filtered = match filter {
        HashFilter::PerRecord => has_parent,
        HashFilter::Kcl => true,
        HashFilter::None => false,
    };
    let by_key = distribution == RecordDistribution::PartitionKey;
    (by_key && filtered).then_some(hash_range)
}
