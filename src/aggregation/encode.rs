//! From user records to the bytes of one record.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use bytes::Bytes;
use md5::{Digest, Md5};

use super::wire::{
    bytes_field_bytes, put_bytes_field, put_varint, tag_of_bytes, tag_of_varint, varint_bytes,
};
use super::{DIGEST_BYTES, MAGIC, UserRecord};
use crate::model::HashKey;

/// What became of a user record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// It is in.
    Added,
    /// The aggregate would have grown beyond its limit; nothing has changed.
    NoRoom,
}

/// Builds aggregates, one after the other, in buffers it keeps.
///
/// Each key stands in its table once. The explicit-hash-key table holds the ones that were set by
/// the user, and no computed ones.
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

/// Where the first user record stands, to have it back when it stays the only one.
#[derive(Debug, Clone)]
struct First {
    explicit_hash_key: Option<HashKey>,
    data: Range<usize>,
}

impl AggregateBuilder {
    /// Builds aggregates of at most `max_bytes`, magic and checksum included.
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

    /// The number of user records so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The exact size of what [`finish`](Self::finish) would give now.
    pub fn size_bytes(&self) -> usize {
        MAGIC.len()
            + self.partition_keys.encoded.len()
            + self.explicit_hash_keys.len()
            + self.records.len()
            + DIGEST_BYTES
    }

    /// The first user record; where it stays the only one there is no point in wrapping it.
    pub fn first(&self) -> Option<UserRecord<'_>> {
        let first = self.first.as_ref()?;
        Some(UserRecord {
            partition_key: self.partition_keys.get(0)?,
            explicit_hash_key: first.explicit_hash_key,
            data: &self.records[first.data.clone()],
        })
    }

    /// Adds `record`, if it fits.
    pub fn try_push(&mut self, record: &UserRecord<'_>) -> Push {
        let hash = self.partition_keys.hash(record.partition_key);
        let known_key = self.partition_keys.find(hash, record.partition_key);
        let key_index = known_key.unwrap_or(self.partition_keys.places.len());
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

    /// The aggregate; the builder is empty again.
    pub fn finish(&mut self) -> Bytes {
        let mut out = Vec::with_capacity(self.size_bytes());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.partition_keys.encoded);
        out.extend_from_slice(&self.explicit_hash_keys);
        out.extend_from_slice(&self.records);
        let digest = Md5::digest(&out[MAGIC.len()..]);
        out.extend_from_slice(&digest);
        self.clear();
        out.into()
    }

    /// Drops what was pushed and keeps the buffers.
    pub fn clear(&mut self) {
        self.partition_keys.clear();
        self.explicit_hash_keys.clear();
        self.explicit_hash_key_index.clear();
        self.records.clear();
        self.len = 0;
        self.first = None;
    }
}

/// The partition keys, encoded already, found again by their hash.
#[derive(Debug, Clone, Default)]
struct KeyTable {
    encoded: Vec<u8>,
    places: Vec<Range<usize>>,
    by_hash: HashMap<u64, usize>,
    hasher: RandomState,
}

impl KeyTable {
    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    fn get(&self, index: usize) -> Option<&str> {
        let bytes = &self.encoded[self.places.get(index)?.clone()];
        std::str::from_utf8(bytes).ok()
    }

    fn find(&self, hash: u64, key: &str) -> Option<usize> {
        let index = *self.by_hash.get(&hash)?;
        (self.encoded[self.places[index].clone()] == *key.as_bytes()).then_some(index)
    }

    /// Of two keys with one hash the later is found; the other then gets a second entry, which is
    /// as valid.
    fn insert(&mut self, hash: u64, key: &str) {
        put_bytes_field(&mut self.encoded, 1, key.as_bytes());
        let end = self.encoded.len();
        self.by_hash.insert(hash, self.places.len());
        self.places.push(end - key.len()..end);
    }

    fn clear(&mut self) {
        self.encoded.clear();
        self.places.clear();
        self.by_hash.clear();
    }
}
