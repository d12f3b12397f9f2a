//! Requests of PutRecords, and the answers to them.

use minicbor::encode::{Encoder, Error};

use super::reading::{Malformed, Reader};
use crate::kinesis::wire::put_outcome::{Written, put_outcome};
use crate::kinesis::{PutEntry, PutOutcome};
use crate::model::StreamIdentity;

/// The body of a request that writes these entries.
pub(in crate::kinesis) fn put_records(stream: &StreamIdentity, entries: &[PutEntry]) -> Vec<u8> {
    /// Names and a hash key.
    const ENTRY_BYTES: usize = 90;
    let sizes = entries.iter().map(|entry| entry.size_bytes() + ENTRY_BYTES);
    let mut body = Vec::with_capacity(sizes.sum::<usize>() + 256);
    written(stream, entries, &mut body).expect("writing to memory cannot fail");
    body
}

fn written(
    stream: &StreamIdentity,
    entries: &[PutEntry],
    body: &mut Vec<u8>,
) -> Result<(), Error<std::convert::Infallible>> {
    let mut body = Encoder::new(body);
    body.begin_map()?;
    body.str("Records")?.begin_array()?;
    for entry in entries {
        body.begin_map()?;
        body.str("Data")?.bytes(&entry.data)?;
        if let Some(key) = entry.explicit_hash_key {
            body.str("ExplicitHashKey")?.str(&key.to_string())?;
        }
        body.str("PartitionKey")?.str(&entry.partition_key)?;
        body.end()?;
    }
    body.end()?;
    match stream.arn() {
        Some(arn) => body.str("StreamARN")?.str(arn)?,
        None => body.str("StreamName")?.str(stream.name().as_str())?,
    };
    body.end()?;
    Ok(())
}

/// The outcome of each entry, in the order of the request.
///
/// # Errors
/// The answer is no CBOR, or lacks a member that the service always sends.
pub(in crate::kinesis) fn put_outcomes(body: &[u8]) -> Result<Vec<PutOutcome>, Malformed> {
    let mut outcomes = None;
    let mut reader = Reader::new(body);
    reader.map(|reader, member| {
        if member != b"Records" {
            return Ok(false);
        }
        let mut found = Vec::new();
        reader.array(|reader| {
            let mut written = Written::default();
            reader.map(|reader, member| {
                match member {
                    b"ShardId" => written.shard_id = reader.optional_text()?,
                    b"SequenceNumber" => written.sequence_number = reader.optional_text()?,
                    b"ErrorCode" => written.error_code = reader.optional_text()?,
                    b"ErrorMessage" => written.error_message = reader.optional_text()?,
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
            found.push(put_outcome(written).map_err(Malformed::new)?);
            Ok(())
        })?;
        outcomes = Some(found);
        Ok(true)
    })?;
    reader.finish()?;
    outcomes.ok_or_else(|| Malformed::missing("Records"))
}
