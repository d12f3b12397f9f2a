//! Decodes aggregated records.

use std::iter::FusedIterator;

use md5::{Digest, Md5};

use super::wire::{Fields, Malformed, Value};
use super::{DIGEST_BYTES, MAGIC, MAX_KEY_BYTES, UserRecord};
use crate::model::{HashKey, md5_of_each};

/// The result of decoding a record.
#[derive(Debug, Clone)]
pub enum Opened<'a> {
    /// Not an aggregate: the magic bytes, the checksum, the protobuf encoding or a required field
    /// does not match.
    Plain,
    /// An aggregate with a valid checksum but invalid user records: an index outside its table, a
    /// key that is not UTF-8 or longer than any partition key, or an explicit hash key that is not
    /// a decimal below 2^128.
    ///
    /// Treat the record like a plain one and count it: returning only the readable user records
    /// would lose the others silently.
    Damaged,
    /// An aggregate whose user records are all valid.
    Aggregate(UserRecords<'a>),
}

/// Whether `record` may be an aggregate: it has the magic bytes and is long enough for a message
/// and a checksum. If not, [`open`] need not be called.
#[inline]
pub fn looks_aggregated(record: &[u8]) -> bool {
    record.len() > MAGIC.len() + DIGEST_BYTES && record.starts_with(&MAGIC)
}

/// Decodes the data of a Kinesis record; the user records borrow from it.
///
/// All user records are validated before the first one is returned, so the result is all of them or
/// none. Costs two passes over the bytes (checksum, fields) and three allocations per aggregate.
pub fn open(record: &[u8]) -> Opened<'_> {
    match parts(record) {
        Some((message, digest)) if Md5::digest(message)[..] == *digest => open_message(message),
        _ => Opened::Plain,
    }
}

/// Whether the checksum of each record that looks like an aggregate is right. It verifies several at once, so it takes
/// less time than [`open`] of each.
pub(crate) fn are_intact<'a>(records: impl Iterator<Item = &'a [u8]>) -> bool {
    let aggregates: Vec<_> = records.filter_map(parts).collect();
    let mut checksums = aggregates.iter().map(|(_, checksum)| *checksum);
    let mut intact = true;
    md5_of_each(aggregates.iter().map(|(message, _)| *message), |digest| {
        intact &= checksums.next() == Some(&digest[..]);
    });
    intact
}

/// Decodes a record that [`open`] has decoded before, without verifying the checksum again. A
/// record that does not look like an aggregate is plain.
pub(crate) fn open_checked(record: &[u8]) -> Opened<'_> {
    parts(record).map_or(Opened::Plain, |(message, _)| open_message(message))
}

/// Splits a record that looks like an aggregate into message and checksum.
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

/// The user records of one aggregate, in the order they were written.
#[derive(Debug, Clone)]
pub struct UserRecords<'a> {
    partition_keys: Vec<&'a str>,
    explicit_hash_keys: Vec<HashKey>,
    items: std::vec::IntoIter<Item<'a>>,
}

/// A user record as indexes into the key tables. They are in range once [`UserRecords`] exists.
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

/// A parsed message before validation: the tables may follow the records that refer to them.
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

    /// Validates what protobuf does not check: the keys, and that indexes are in range.
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
        // Many user records may refer to one key, so an oversized key would expand to gigabytes.
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

/// Parses a `Record`. As protobuf specifies, the last of repeated fields wins, and a known field
/// with an unexpected wire type is treated as unknown.
fn read_item(message: &[u8]) -> Result<Item<'_>, Malformed> {
    let (mut partition_key, mut explicit_hash_key, mut data) = (None, None, None);
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Varint(index)) => partition_key = Some(to_index(index)),
            (2, Value::Varint(index)) => explicit_hash_key = Some(to_index(index)),
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

/// An index that exceeds `usize` is out of range of any table.
fn to_index(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
