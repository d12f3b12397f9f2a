//! The header of Confluent's clients: a zero byte, the id of the schema in 4 bytes, and the path of the message in
//! its file.

use super::descriptor::Descriptor;
use crate::format::documents::DocumentFailure;
use crate::format::header;
use crate::options::SchemaRegistryType;

const OPTION: &str = "kinesis.protobuf.framing";

/// The longest path to a message.
const MAX_INDEXES: i64 = 100;

/// The index of the first byte after the header. The id of the schema is not looked up.
///
/// # Errors
/// The header is not complete, or names another message than the one of the options.
pub(super) fn payload_start(
    record: &[u8],
    descriptor: &Descriptor,
) -> Result<usize, DocumentFailure> {
    // Nothing is decompressed.
    let header = header::unframed(record, SchemaRegistryType::Confluent, OPTION, 0)?;
    let start = header.start;
    let mut at = start;
    let count = zigzag(record, &mut at)?;
    let indexes = match count {
        // Short for [0].
        0 => vec![0],
        1..=MAX_INDEXES => {
            let indexes = (0..count).map(|_| zigzag(record, &mut at));
            indexes.collect::<Result<_, _>>()?
        }
        _ => {
            return Err(failure(start, "has an invalid number of message indexes"));
        }
    };
    let expected = descriptor.indexes().iter().map(|index| i64::from(*index));
    if !expected.clone().eq(indexes.iter().copied()) {
        let name = &descriptor.message(descriptor.root()).name;
        let reason = format!(
            "has message indexes {indexes:?}: expected {:?} for '{name}'",
            expected.collect::<Vec<_>>()
        );
        return Err(DocumentFailure::at(start, reason));
    }
    Ok(at)
}

fn failure(byte: usize, what: &str) -> DocumentFailure {
    let reason = format!("has no Confluent header ('{OPTION}'): it {what}");
    DocumentFailure::at(byte, reason)
}

/// A signed varint in zigzag encoding.
fn zigzag(record: &[u8], at: &mut usize) -> Result<i64, DocumentFailure> {
    let mut bits = 0_u64;
    for shift in (0..63).step_by(7) {
        let Some(byte) = record.get(*at) else {
            return Err(failure(*at, "ends within its header"));
        };
        *at += 1;
        bits |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok((bits >> 1) as i64 ^ -((bits & 1) as i64));
        }
    }
    Err(failure(*at, "has a number of more than 64 bits"))
}
