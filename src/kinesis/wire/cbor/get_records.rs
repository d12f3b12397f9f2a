//! Requests of GetRecords, the answers to them, and the events of subscriptions, which are alike.

use minicbor::encode::{Encoder, Error};

use super::reading::{Malformed, Reader};
use crate::kinesis::buffer_pool::BufferPool;
use crate::kinesis::wire::{behind, check_number, sequence_number};
use crate::kinesis::{
    ChildShard, RecordColumns, RecordsPage, RecordsPageBuilder, ShardIterator, SubscriptionEvent,
};
use crate::model::{HashKey, HashRange, SequenceNumber, ShardId, StreamIdentity};

/// The body of a request.
pub(in crate::kinesis) fn get_records(
    stream: &StreamIdentity,
    iterator: &ShardIterator,
    limit: i32,
) -> Vec<u8> {
    let mut body = Vec::new();
    written(stream, iterator, limit, &mut body).expect("writing to memory cannot fail");
    body
}

fn written(
    stream: &StreamIdentity,
    iterator: &ShardIterator,
    limit: i32,
    body: &mut Vec<u8>,
) -> Result<(), Error<std::convert::Infallible>> {
    let mut body = Encoder::new(body);
    body.begin_map()?;
    body.str("ShardIterator")?.str(iterator.as_str())?;
    body.str("Limit")?.i32(limit)?;
    if let Some(arn) = stream.arn() {
        body.str("StreamARN")?.str(arn)?;
    }
    body.end()?;
    Ok(())
}

/// The page in an answer.
///
/// # Errors
/// The answer is no CBOR, or lacks a member that the service always sends.
pub(in crate::kinesis) fn records_page(
    body: &[u8],
    columns: RecordColumns,
    pool: &BufferPool,
) -> Result<RecordsPage, Malformed> {
    subscription_event(body, columns, pool).map(|event| event.page)
}

/// The event in a message of a subscription.
///
/// # Errors
/// As [`records_page`].
pub(in crate::kinesis) fn subscription_event(
    body: &[u8],
    columns: RecordColumns,
    pool: &BufferPool,
) -> Result<SubscriptionEvent, Malformed> {
    let mut page = RecordsPageBuilder::for_body(columns, body.len(), body.len(), pool);
    let (mut found, mut next, mut behind_latest, mut children) = (None, None, None, Vec::new());
    let mut continuation = None;
    let mut reader = Reader::new(body);
    reader.map(|reader, member| {
        match member {
            b"Records" if found.is_some() => {
                return Err(Malformed::new("duplicate member 'Records'"));
            }
            b"Records" => found = Some(records(reader, &mut page)?),
            b"NextShardIterator" => {
                let iterator = reader.optional_text()?;
                next = iterator.map(|text| ShardIterator::new(text.into_owned()));
            }
            b"MillisBehindLatest" => {
                behind_latest = reader.number()?.map(behind);
            }
            b"ContinuationSequenceNumber" => {
                let number = reader.optional_text()?;
                let number = number.map(|digits| sequence_number(digits.as_bytes()));
                continuation = number.transpose().map_err(Malformed::new)?;
            }
            b"ChildShards" => {
                children.clear();
                reader.optional_array(|reader| {
                    children.push(child(reader)?);
                    Ok(())
                })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    reader.finish()?;
    // Without them it is no answer to GetRecords, and its missing iterator would end the shard.
    let last = found.ok_or_else(|| Malformed::missing("Records"))?;
    Ok(SubscriptionEvent {
        page: page.finish(last, next, behind_latest, children),
        continuation,
    })
}

/// Appends records. Gives the sequence number of the last one.
fn records(
    reader: &mut Reader<'_>,
    page: &mut RecordsPageBuilder,
) -> Result<Option<SequenceNumber>, Malformed> {
    let mut last = None;
    reader.array(|reader| {
        let (mut data, mut key, mut number, mut arrival) = (None, None, None, None);
        reader.map(|reader, member| {
            match member {
                b"Data" => data = Some(reader.bytes()?),
                b"PartitionKey" => key = reader.optional_text()?,
                b"SequenceNumber" => number = Some(reader.text_bytes()?),
                b"ApproximateArrivalTimestamp" => arrival = reader.time()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let data = data.ok_or_else(|| Malformed::missing("Data"))?;
        let number = number.ok_or_else(|| Malformed::missing("SequenceNumber"))?;
        check_number(&number).map_err(Malformed::new)?;
        page.push_digits(&data, key.as_deref(), &number, arrival);
        last = Some(number);
        Ok(())
    })?;
    let last = last.map(|digits| sequence_number(&digits));
    last.transpose().map_err(Malformed::new)
}

fn child(reader: &mut Reader<'_>) -> Result<ChildShard, Malformed> {
    let (mut id, mut parents, mut start, mut end) = (None, Vec::new(), None, None);
    reader.map(|reader, member| {
        match member {
            b"ShardId" => id = Some(ShardId::new(reader.text()?)),
            b"ParentShards" => reader.array(|reader| {
                parents.push(ShardId::new(reader.text()?));
                Ok(())
            })?,
            b"HashKeyRange" => reader.map(|reader, bound| {
                match bound {
                    b"StartingHashKey" => start = Some(hash_key(&reader.text()?)?),
                    b"EndingHashKey" => end = Some(hash_key(&reader.text()?)?),
                    _ => return Ok(false),
                }
                Ok(true)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let missing = |member| move || Malformed::missing(member);
    Ok(ChildShard {
        id: id.ok_or_else(missing("ShardId"))?,
        parents,
        hash_range: HashRange {
            start: start.ok_or_else(missing("StartingHashKey"))?,
            end: end.ok_or_else(missing("EndingHashKey"))?,
        },
    })
}

fn hash_key(digits: &str) -> Result<HashKey, Malformed> {
    let key = digits.parse().map(HashKey);
    key.map_err(|_| {
        Malformed::new(format!(
            "hash key '{digits}' is no decimal number below 2^128"
        ))
    })
}
