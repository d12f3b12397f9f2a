//! Shards: their names, hash ranges and family.

use std::fmt;
use std::sync::Arc;

use super::SequenceNumber;

/// The name of a shard, `shardId-000000000000`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(Arc<str>);

impl ShardId {
    /// Takes a name as the service gives it.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in the 128-bit hash space: the MD5 of a partition key read as a big-endian number,
/// or an explicit hash key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashKey(pub u128);

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The hash keys a shard takes, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashRange {
    /// The first hash key of the shard.
    pub start: HashKey,
    /// The last hash key of the shard.
    pub end: HashKey,
}

impl HashRange {
    /// The whole hash space.
    pub const ALL: Self = Self {
        start: HashKey(0),
        end: HashKey(u128::MAX),
    };

    /// Whether the shard takes `key`.
    pub fn contains(&self, key: HashKey) -> bool {
        self.start <= key && key <= self.end
    }
}

/// A shard as ListShards describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its name.
    pub id: ShardId,
    /// The shard it was split from, or one of the two it was merged from; may be gone already.
    pub parent: Option<ShardId>,
    /// The other shard it was merged from.
    pub adjacent_parent: Option<ShardId>,
    /// The hash keys it takes.
    pub hash_range: HashRange,
    /// The number before its first record.
    pub starting_sequence: SequenceNumber,
    /// Set once the shard is closed: it takes no more records, and ends when they are read.
    pub ending_sequence: Option<SequenceNumber>,
}

impl Shard {
    /// Whether the shard takes no more records.
    pub fn is_closed(&self) -> bool {
        self.ending_sequence.is_some()
    }
}

/// For tests: a shard of this number that was made of those, and takes every key.
#[cfg(test)]
impl Shard {
    pub(crate) fn numbered(number: u32, parents: &[u32]) -> Self {
        let id = |number: &u32| ShardId::new(format!("shardId-{number:012}"));
        Self {
            id: id(&number),
            parent: parents.first().map(id),
            adjacent_parent: parents.get(1).map(id),
            hash_range: HashRange::ALL,
            starting_sequence: SequenceNumber::zero(),
            ending_sequence: None,
        }
    }
}
