//! Encodes user records into aggregated records.

use std::hash::BuildHasher;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::wire::{
    bytes_field_bytes, put_bytes_field, put_varint, tag_of_bytes, tag_of_varint, varint_bytes,
};
use super::{DIGEST_BYTES, MAGIC, UserRecord};
use crate::model::{HashKey, md5_of_each};

/// The result of adding a user record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// It was added.
    Added,
    /// The aggregate would exceed its size limit; nothing was changed.
    NoRoom,
}

/// Builds aggregates one after another, reusing its buffers.
///
/// Each key is stored once in its table. The explicit hash key table contains only keys set by the
/// user, none that are computed.
#[derive(Debug, Clone)]
pub struct AggregateBuilder {
    max_bytes: usize,
    partition_keys: KeyTable,
    explicit_hash_keys: Vec<u8>,
    explicit_hash_key_index: HashMap<HashKey, usize>,
    records: Vec<u8>,
    len: usize,
    first: Option<First>,
}

/// Where the first user record is stored, to return it if it stays the only one.
#[derive(Debug, Clone)]
struct First {
    explicit_hash_key: Option<HashKey>,
    data: Range<usize>,
}

impl AggregateBuilder {
    /// Creates a builder for aggregates of at most `max_bytes`, including magic bytes and checksum.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            partition_keys: KeyTable::default(),
            explicit_hash_keys: Vec::new(),
            explicit_hash_key_index: HashMap::new(),
            records: Vec::new(),
            len: 0,
            first: None,
        }
    }

    /// The number of user records added so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no user record was added.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The exact size in bytes of the aggregate that [`finish`](Self::finish) would return now.
    pub fn size_bytes(&self) -> usize {
        MAGIC.len()
            + self.partition_keys.encoded.len()
            + self.explicit_hash_keys.len()
            + self.records.len()
            + DIGEST_BYTES
    }

    /// The first user record. If it stays the only one, it need not be wrapped.
    pub fn first(&self) -> Option<UserRecord<'_>> {
        let first = self.first.as_ref()?;
        Some(UserRecord {
            partition_key: self.partition_keys.get(0)?,
            explicit_hash_key: first.explicit_hash_key,
            data: &self.records[first.data.clone()],
        })
    }

    /// Adds `record` if it fits.
    pub fn try_push(&mut self, record: &UserRecord<'_>) -> Push {
        let hash = self.partition_keys.hash(record.partition_key);
        let known_key = self.partition_keys.find(hash, record.partition_key);
        let key_index = known_key.unwrap_or(self.partition_keys.ranges.len());
        let mut grown_bytes = match known_key {
            Some(_) => 0,
            None => bytes_field_bytes(record.partition_key.len()),
        };

        let new_hash_key_index = self.explicit_hash_key_index.len();
        let mut new_hash_key = None;
        let hash_key_index = record.explicit_hash_key.map(|key| {
            let known = self.explicit_hash_key_index.get(&key).copied();
            known.unwrap_or_else(|| {
                let digits = key.to_string();
                grown_bytes += bytes_field_bytes(digits.len());
                new_hash_key = Some((key, digits));
                new_hash_key_index
            })
        });

        let body_bytes = 1
            + varint_bytes(key_index)
            + hash_key_index.map_or(0, |index| 1 + varint_bytes(index))
            + bytes_field_bytes(record.data.len());
        grown_bytes += bytes_field_bytes(body_bytes);
        if self.size_bytes() + grown_bytes > self.max_bytes {
            return Push::NoRoom;
        }

        if known_key.is_none() {
            self.partition_keys.insert(hash, record.partition_key);
        }
        if let Some((key, digits)) = new_hash_key {
            put_bytes_field(&mut self.explicit_hash_keys, 2, digits.as_bytes());
            self.explicit_hash_key_index.insert(key, new_hash_key_index);
        }
        self.put_record(body_bytes, key_index, hash_key_index, record);
        Push::Added
    }

    fn put_record(
        &mut self,
        body_bytes: usize,
        key_index: usize,
        hash_key_index: Option<usize>,
        record: &UserRecord<'_>,
    ) {
        let out = &mut self.records;
        out.push(tag_of_bytes(3));
        put_varint(out, body_bytes);
        out.push(tag_of_varint(1));
        put_varint(out, key_index);
        if let Some(index) = hash_key_index {
            out.push(tag_of_varint(2));
            put_varint(out, index);
        }
        put_bytes_field(out, 3, record.data);
        let end = out.len();
        self.len += 1;
        self.first.get_or_insert_with(|| First {
            explicit_hash_key: record.explicit_hash_key,
            data: end - record.data.len()..end,
        });
    }

    /// Returns the aggregate and clears the builder.
    pub fn finish(&mut self) -> Bytes {
        let mut aggregate = [self.finish_without_checksum()];
        add_checksums(aggregate.iter_mut());
        let [aggregate] = aggregate;
        aggregate
    }

    /// As [`finish`](Self::finish), with zeros for the checksum until [`add_checksums`].
    pub(crate) fn finish_without_checksum(&mut self) -> Bytes {
        let mut out = Vec::with_capacity(self.size_bytes());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.partition_keys.encoded);
        out.extend_from_slice(&self.explicit_hash_keys);
        out.extend_from_slice(&self.records);
        out.extend_from_slice(&[0; DIGEST_BYTES]);
        self.clear();
        out.into()
    }

    /// Discards the user records but keeps the buffers.
    pub fn clear(&mut self) {
        self.partition_keys.clear();
        self.explicit_hash_keys.clear();
        self.explicit_hash_key_index.clear();
        self.records.clear();
        self.len = 0;
        self.first = None;
    }
}

/// Computes the checksums of aggregates that have none. Several at once take less time than one after the other.
pub(crate) fn add_checksums<'a>(aggregates: impl Iterator<Item = &'a mut Bytes>) {
    let aggregates: Vec<&mut Bytes> = aggregates.collect();
    let messages = aggregates.iter().map(|aggregate| {
        let end = aggregate.len() - DIGEST_BYTES;
        &aggregate[MAGIC.len()..end]
    });
    let mut digests = Vec::with_capacity(aggregates.len());
    md5_of_each(messages, |digest| digests.push(digest));
    for (aggregate, digest) in aggregates.into_iter().zip(digests) {
        // No copy, because nothing else has these bytes yet.
        let bytes = std::mem::take(aggregate).try_into_mut();
        let mut bytes = bytes.unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let end = bytes.len() - DIGEST_BYTES;
        bytes[end..].copy_from_slice(&digest);
        *aggregate = bytes.freeze();
    }
}

/// The encoded partition keys, found by their hash.
#[derive(Debug, Clone, Default)]
struct KeyTable {
    encoded: Vec<u8>,
    ranges: Vec<Range<usize>>,
    /// Indexes into `ranges`.
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl KeyTable {
    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key.as_bytes())
    }

    fn get(&self, index: usize) -> Option<&str> {
        let bytes = &self.encoded[self.ranges.get(index)?.clone()];
        std::str::from_utf8(bytes).ok()
    }

    fn find(&self, hash: u64, key: &str) -> Option<usize> {
        let is_key = |index: &usize| self.encoded[self.ranges[*index].clone()] == *key.as_bytes();
        self.index.find(hash, is_key).copied()
    }

    /// Adds a key that the table does not have.
    fn insert(&mut self, hash: u64, key: &str) {
        put_bytes_field(&mut self.encoded, 1, key.as_bytes());
        let end = self.encoded.len();
        let (encoded, ranges, hasher) = (&self.encoded, &self.ranges, &self.hasher);
        let rehash = |index: &usize| hasher.hash_one(&encoded[ranges[*index].clone()]);
        self.index.insert_unique(hash, ranges.len(), rehash);
        self.ranges.push(end - key.len()..end);
    }

    fn clear(&mut self) {
        self.encoded.clear();
        self.ranges.clear();
        self.index.clear();
    }
}
