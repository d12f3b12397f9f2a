//! The items of the table: their keys, and the encoding of an entry in one or several of them.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;

use super::super::committer::Log;
use crate::model::BatchId;

/// The partition key of the table, text.
pub(super) const QUERY: &str = "query";
/// The sort key of the table, a number.
pub(super) const ENTRY: &str = "entry";
/// The entry as text.
const VALUE: &str = "value";
/// How many parts the entry has, and its uncompressed size.
pub(super) const PARTS: &str = "parts";
const BYTES: &str = "bytes";
/// A part.
const PACKED: &str = "packed";
/// The newest epoch and the handle that took it.
pub(super) const EPOCH: &str = "epoch";
pub(super) const TOKEN: &str = "token";

/// Up to this size an entry is stored as text, so that people can read it in the table.
const LARGEST_TEXT: usize = 100_000;
/// An item may have 400 KB including its attribute names and its key (Developer Guide, "Quotas").
const LARGEST_PART: usize = 350_000;
/// A transaction may have 4 MB.
pub(super) const MAX_PARTS: usize = 11;
pub(super) const LARGEST_PACKED: usize = MAX_PARTS * LARGEST_PART;
/// Larger than any entry; keeps an edited table from exhausting the memory.
const LARGEST_ENTRY: usize = 256 * 1024 * 1024;
/// Numbers that are reserved for the parts of an entry.
const PART_NUMBERS: i128 = 100;

pub(super) type Item = HashMap<String, AttributeValue>;

/// The key of an item of a query: its item collection, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    collection: &'static str,
    number: i128,
}

impl Slot {
    /// The newest epoch.
    pub(super) const HEADER: Self = Self {
        collection: "header",
        number: 0,
    };
    /// The metadata of the query.
    pub(super) const METADATA: Self = Self {
        collection: "header",
        number: -1,
    };

    pub(super) fn of(log: Log, batch: BatchId) -> Self {
        Self {
            collection: log.name(),
            number: i128::from(batch.0),
        }
    }

    /// Its name in messages.
    pub(super) fn name(self) -> String {
        match self {
            Self::HEADER => "header".to_owned(),
            Self::METADATA => "metadata".to_owned(),
            Self { collection, number } => format!("{collection}/{number}"),
        }
    }

    pub(super) fn key(self, query: &str) -> Item {
        key(collection(query, self.collection), self.number)
    }

    /// The key of its part `part`, counted from 1. Parts have their own collection, so that listings of entries do
    /// not include them.
    fn part_key(self, query: &str, part: usize) -> Item {
        let parts = format!("{} parts", collection(query, self.collection));
        let part = i128::try_from(part).expect("there are few");
        key(parts, self.number * PART_NUMBERS + part)
    }

    /// The keys of its item and of its first `parts` parts.
    pub(super) fn keys(self, query: &str, parts: usize) -> impl Iterator<Item = Item> {
        let parts = (1..=parts).map(move |part| self.part_key(query, part));
        std::iter::once(self.key(query)).chain(parts)
    }
}

/// The partition key of a query's collection. It is unique because names of collections have no `#`.
pub(super) fn collection(query: &str, collection: &str) -> String {
    format!("{query}#{collection}")
}

fn key(collection: String, entry: i128) -> Item {
    Item::from([
        (QUERY.to_owned(), AttributeValue::S(collection)),
        (ENTRY.to_owned(), AttributeValue::N(entry.to_string())),
    ])
}

/// The number in an attribute, if it has one in range.
pub(super) fn read_number(item: &Item, attribute: &str) -> Option<u64> {
    item.get(attribute)?.as_n().ok()?.parse().ok()
}

/// The item with the newest epoch.
pub(super) fn header(query: &str, epoch: u64, token: &str) -> Item {
    let mut item = Slot::HEADER.key(query);
    item.insert(EPOCH.to_owned(), AttributeValue::N(epoch.to_string()));
    item.insert(TOKEN.to_owned(), AttributeValue::S(token.to_owned()));
    item
}

/// Whether the handle with this token took this epoch last.
pub(super) fn is_claim(header: &Item, epoch: u64, token: &str) -> bool {
    let by = header.get(TOKEN).and_then(|token| token.as_s().ok());
    read_number(header, EPOCH) == Some(epoch) && by.is_some_and(|by| by == token)
}

/// The items of an entry, beginning with the one under the entry's own key.
///
/// # Errors
/// The compressed size, if it is too large for one transaction.
pub(super) fn pack(query: &str, slot: Slot, entry: &[u8]) -> Result<Vec<Item>, usize> {
    let mut main = slot.key(query);
    if let Ok(text) = std::str::from_utf8(entry)
        && text.len() <= LARGEST_TEXT
    {
        main.insert(VALUE.to_owned(), AttributeValue::S(text.to_owned()));
        return Ok(vec![main]);
    }
    let packed = zstd::bulk::compress(entry, zstd::DEFAULT_COMPRESSION_LEVEL)
        .expect("the buffer has the worst-case size");
    let parts = packed.chunks(LARGEST_PART);
    if parts.len() > MAX_PARTS || entry.len() > LARGEST_ENTRY {
        return Err(packed.len());
    }
    let count = AttributeValue::N(parts.len().to_string());
    main.insert(PARTS.to_owned(), count);
    let bytes = AttributeValue::N(entry.len().to_string());
    main.insert(BYTES.to_owned(), bytes);
    let parts = parts.enumerate().map(|(index, part)| {
        let mut item = slot.part_key(query, index + 1);
        item.insert(PACKED.to_owned(), AttributeValue::B(Blob::new(part)));
        item
    });
    Ok(std::iter::once(main).chain(parts).collect())
}

/// The content of an entry's item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The entry.
    Text(Bytes),
    /// The entry is compressed in this many parts.
    Packed { parts: usize, bytes: usize },
}

/// The content of an entry's item; `None` if this program did not write it.
pub(super) fn content(item: &mut Item) -> Option<Content> {
    if let Some(AttributeValue::S(text)) = item.remove(VALUE) {
        return Some(Content::Text(text.into()));
    }
    let size = |attribute| usize::try_from(read_number(item, attribute)?).ok();
    let (parts, bytes) = (size(PARTS)?, size(BYTES)?);
    let sane = (1..=MAX_PARTS).contains(&parts) && bytes <= LARGEST_ENTRY;
    sane.then_some(Content::Packed { parts, bytes })
}

/// The entry of `bytes` bytes from its parts; `None` if they were changed.
pub(super) fn unpack(parts: impl Iterator<Item = Option<Item>>, bytes: usize) -> Option<Bytes> {
    let mut packed = Vec::new();
    for part in parts {
        packed.extend_from_slice(part?.get(PACKED)?.as_b().ok()?.as_ref());
    }
    let entry = zstd::bulk::decompress(&packed, bytes).ok()?;
    (entry.len() == bytes).then(|| entry.into())
}
