//! The aggregated record format of the Kinesis Producer Library: many user records in one Kinesis
//! record.
//!
//! ```text
//! F3 89 9A C2 | protobuf AggregatedRecord | MD5 of the protobuf bytes
//!
//! message AggregatedRecord {
//!   repeated string partition_key_table = 1;
//!   repeated string explicit_hash_key_table = 2;
//!   repeated Record records = 3;
//! }
//! message Record {
//!   required uint64 partition_key_index = 1;
//!   optional uint64 explicit_hash_key_index = 2;
//!   required bytes data = 3;
//!   repeated Tag tags = 4;
//! }
//! ```
//!
//! [`open`] decodes it in place, and [`AggregateBuilder`] encodes it byte for byte like that
//! library. No metadata marks a record as an aggregate, so every record is checked with
//! [`looks_aggregated`], and the checksum decides.

mod decode;
mod encode;
mod wire;

pub use decode::{Opened, UserRecords, looks_aggregated, open};
pub(crate) use decode::{are_intact, open_checked};
pub(crate) use encode::add_checksums;
pub use encode::{AggregateBuilder, Push};

use crate::model::HashKey;

/// The magic bytes at the start of an aggregate.
pub(crate) const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// The longest partition key in bytes: 256 characters (API reference, PutRecords) of up to four
/// bytes.
const MAX_KEY_BYTES: usize = 1_024;

/// The length in bytes of the checksum at the end of an aggregate.
const DIGEST_BYTES: usize = 16;

/// One record as its producer wrote it, decoded from an aggregate or to be encoded into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRecord<'a> {
    /// The partition key of this record. The enclosing aggregate has a different one.
    pub partition_key: &'a str,
    /// The explicit hash key, if the producer set one.
    pub explicit_hash_key: Option<HashKey>,
    /// The payload.
    pub data: &'a [u8],
}

impl UserRecord<'_> {
    /// The hash key that routes the record: its explicit hash key, else the hash of its partition
    /// key.
    pub fn hash_key(&self) -> HashKey {
        self.explicit_hash_key
            .unwrap_or_else(|| HashKey::of_partition_key(self.partition_key))
    }
}

#[cfg(test)]
mod tests;
