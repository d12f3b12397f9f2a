//! From the bytes of a record to the user records inside.

use std::iter::FusedIterator;

use md5::{Digest, Md5};

use super::wire::{Fields, Malformed, Value};
use super::{DIGEST_BYTES, MAGIC, MAX_KEY_BYTES, UserRecord};
use crate::model::HashKey;

/// What a record turned out to be.
#[derive(Debug, Clone)]
pub enum Opened<'a> {
    /// One record as it is: no aggregate, or something that only begins like one. Checksum,
    /// protobuf and required fields tell.
    Plain,
    /// An aggregate by its checksum whose user records cannot all be told: an index beyond its
    /// table, a key that is not UTF-8 or longer than any partition key, an explicit hash key that is not a decimal below 2^128.
    ///
    /// Keep the record whole, as if it were plain, and count it: giving out the readable part
    /// would lose the rest without a trace.
    Damaged,
    /// The user records, all of them sound.
    Aggregate(UserRecords<'a>),
}

/// Whether [`open`] has to be asked at all: the magic bytes and room for a message and a checksum.
#[inline]
pub fn looks_aggregated(record: &[u8]) -> bool {
    record.len() > MAGIC.len() + DIGEST_BYTES && record.starts_with(&MAGIC)
}

/// Opens the data of a Kinesis record; the user records borrow from it.
///
/// Everything is checked before the first user record comes out, so it is all of them or none.
/// Costs two passes over the bytes (checksum, fields) and three allocations per aggregate.
pub fn open(record: &[u8]) -> Opened<'_> {
    match parts(record) {
        Some((message, digest)) if Md5::digest(message)[..] == *digest => open_message(message),
        _ => Opened::Plain,
    }
}

/// Opens what [`open`] has opened before, without its checksum; a record that does not look like an
/// aggregate is plain.
pub(crate) fn open_checked(record: &[u8]) -> Opened<'_> {
    parts(record).map_or(Opened::Plain, |(message, _)| open_message(message))
}

/// The message and its checksum, where the record looks like an aggregate.
fn parts(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let body = looks_aggregated(record).then(|| &record[MAGIC.len()..])?;
    Some(body.split_at(body.len() - DIGEST_BYTES))
}

fn open_message(message: &[u8]) -> Opened<'_> {
    match Tables::read(message) {
        Ok(tables) => tables.resolve(),
        Err(Malformed) => Opened::Plain,
    }
}

/// The user records of one aggregate in the order they were written.
#[derive(Debug, Clone)]
pub struct UserRecords<'a> {
    partition_keys: Vec<&'a str>,
    explicit_hash_keys: Vec<HashKey>,
    items: std::vec::IntoIter<Item<'a>>,
}

/// A user record by its places in the tables, which are in range once [`UserRecords`] exists.
#[derive(Debug, Clone, Copy)]
struct Item<'a> {
    partition_key: usize,
    explicit_hash_key: Option<usize>,
    data: &'a [u8],
}

impl<'a> Iterator for UserRecords<'a> {
    type Item = UserRecord<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.items.next()?;
        Some(UserRecord {
            partition_key: self.partition_keys[item.partition_key],
            explicit_hash_key: item.explicit_hash_key.map(|i| self.explicit_hash_keys[i]),
            data: item.data,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl ExactSizeIterator for UserRecords<'_> {}

impl FusedIterator for UserRecords<'_> {}

/// A message as it stands: tables may follow the records that point into them.
#[derive(Debug, Default)]
struct Tables<'a> {
    partition_keys: Vec<&'a [u8]>,
    explicit_hash_keys: Vec<&'a [u8]>,
    items: Vec<Item<'a>>,
}

impl<'a> Tables<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut tables = Self::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(key)) => tables.partition_keys.push(key),
                (2, Value::Bytes(key)) => tables.explicit_hash_keys.push(key),
                (3, Value::Bytes(record)) => tables.items.push(read_item(record)?),
                _ => {}
            }
        }
        Ok(tables)
    }

    /// Checks what protobuf does not know: that keys are what they should be and indexes point at one.
    fn resolve(self) -> Opened<'a> {
        let in_range = |item: &Item<'_>| {
            item.partition_key < self.partition_keys.len()
                && item
                    .explicit_hash_key
                    .is_none_or(|index| index < self.explicit_hash_keys.len())
        };
        if !self.items.iter().all(in_range) {
            return Opened::Damaged;
        }
        let text = |bytes: &&'a [u8]| std::str::from_utf8(bytes).ok();
        // Any number of user records may point at one key: a long one would open into gigabytes.
        let keys = self.partition_keys.iter();
        let keys = keys.map(|key| text(key).filter(|key| key.len() <= MAX_KEY_BYTES));
        let partition_keys: Option<_> = keys.collect();
        let explicit_hash_keys: Option<_> = (self.explicit_hash_keys.iter())
            .map(|bytes| text(bytes).and_then(HashKey::from_decimal))
            .collect();
        let (Some(partition_keys), Some(explicit_hash_keys)) = (partition_keys, explicit_hash_keys)
        else {
            return Opened::Damaged;
        };
        Opened::Aggregate(UserRecords {
            partition_keys,
            explicit_hash_keys,
            items: self.items.into_iter(),
        })
    }
}

/// Reads a `Record`. As protobuf has it, the last of repeated fields counts, and a known field
/// with another wire type is an unknown one.
fn read_item(message: &[u8]) -> Result<Item<'_>, Malformed> {
    let (mut partition_key, mut explicit_hash_key, mut data) = (None, None, None);
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Varint(index)) => partition_key = Some(place(index)),
            (2, Value::Varint(index)) => explicit_hash_key = Some(place(index)),
            (3, Value::Bytes(bytes)) => data = Some(bytes),
            _ => {}
        }
    }
    Ok(Item {
        partition_key: partition_key.ok_or(Malformed)?,
        explicit_hash_key,
        data: data.ok_or(Malformed)?,
    })
}

/// An index too large for memory is as far out of range as one can be.
fn place(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
