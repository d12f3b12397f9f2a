//! Requests of GetRecords, the answers to them, and the events of subscriptions, which are alike.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::{behind, check_number, sequence_number, unix_millis};
use crate::kinesis::buffer_pool::BufferPool;
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
    let mut body = serde_json::json!({ "ShardIterator": iterator.as_str(), "Limit": limit });
    if let Some(arn) = stream.arn() {
        body["StreamARN"] = arn.into();
    }
    body.to_string().into_bytes()
}

/// The page in an answer to GetRecords.
///
/// # Errors
/// The answer is no JSON, or lacks a member that the service always sends.
pub(in crate::kinesis) fn records_page(
    body: &[u8],
    columns: RecordColumns,
    pool: &BufferPool,
) -> Result<RecordsPage, serde_json::Error> {
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
) -> Result<SubscriptionEvent, serde_json::Error> {
    // Three bytes of payload are four characters.
    let data_bytes = body.len() / 4 * 3;
    let builder = RecordsPageBuilder::for_body(columns, body.len(), data_bytes, pool);
    let mut json = serde_json::Deserializer::from_slice(body);
    let event = EventSeed(builder).deserialize(&mut json)?;
    json.end()?;
    Ok(event)
}

/// The whole answer or event.
struct EventSeed(RecordsPageBuilder);

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Member {
    Records,
    NextShardIterator,
    MillisBehindLatest,
    ContinuationSequenceNumber,
    ChildShards,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for EventSeed {
    type Value = SubscriptionEvent;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EventSeed {
    type Value = SubscriptionEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer to GetRecords")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut records, mut next, mut behind_latest, mut children) =
            (None, None, None, Vec::new());
        let mut continuation = None;
        while let Some(member) = members.next_key()? {
            match member {
                Member::Records if records.is_some() => {
                    return Err(A::Error::duplicate_field("Records"));
                }
                Member::Records => {
                    records = Some(members.next_value_seed(RecordsSeed(&mut self.0))?);
                }
                Member::NextShardIterator => {
                    next = members
                        .next_value::<Option<String>>()?
                        .map(ShardIterator::new);
                }
                Member::MillisBehindLatest => {
                    let millis = members.next_value::<Option<f64>>()?;
                    behind_latest = millis.map(behind);
                }
                Member::ContinuationSequenceNumber => {
                    let number = members.next_value::<Option<String>>()?;
                    let number = number.map(|digits| sequence_number(digits.as_bytes()));
                    continuation = number.transpose().map_err(A::Error::custom)?;
                }
                Member::ChildShards => {
                    let found = members.next_value::<Option<Vec<Child>>>()?;
                    let found = found.unwrap_or_default().into_iter().map(Child::into_shard);
                    children = found.collect::<Result<_, _>>().map_err(A::Error::custom)?;
                }
                Member::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        // Without them it is no answer to GetRecords, and its missing iterator would end the shard.
        let last = records.ok_or_else(|| A::Error::missing_field("Records"))?;
        Ok(SubscriptionEvent {
            page: self.0.finish(last, next, behind_latest, children),
            continuation,
        })
    }
}

/// The array of records. Gives the sequence number of the last one.
struct RecordsSeed<'a>(&'a mut RecordsPageBuilder);

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_> {
    type Value = Option<SequenceNumber>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_> {
    type Value = Option<SequenceNumber>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<Self::Value, A::Error> {
        let mut last = None;
        while let Some(number) = records.next_element_seed(RecordSeed(self.0))? {
            last = Some(number);
        }
        let last = last.map(|digits| sequence_number(&digits));
        last.transpose().map_err(A::Error::custom)
    }
}

/// One record. Gives its sequence number.
struct RecordSeed<'a>(&'a mut RecordsPageBuilder);

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Cow<'de, [u8]>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut data, mut key, mut number, mut arrival) = (None, None, None, None);
        while let Some(Characters(member)) = members.next_key()? {
            match &*member {
                b"Data" => data = Some(members.next_value::<Characters>()?.0),
                b"PartitionKey" => key = members.next_value::<Option<Text>>()?,
                b"SequenceNumber" => number = Some(members.next_value::<Characters>()?.0),
                b"ApproximateArrivalTimestamp" => {
                    let seconds = members.next_value::<Option<f64>>()?;
                    let millis = seconds.map(|seconds| unix_millis(seconds * 1_000.0));
                    arrival = millis.transpose().map_err(A::Error::custom)?;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        let data = data.ok_or_else(|| A::Error::missing_field("Data"))?;
        let number = number.ok_or_else(|| A::Error::missing_field("SequenceNumber"))?;
        check_number(&number).map_err(A::Error::custom)?;
        let key = key.as_ref().map(|key| &*key.0);
        let pushed = self.0.push_base64(&data, key, &number, arrival);
        match pushed {
            Ok(()) => Ok(number),
            Err(reason) => {
                let number = String::from_utf8_lossy(&number);
                Err(A::Error::custom(format!("record {number}: {reason}")))
            }
        }
    }
}

/// A text, borrowed from the answer if it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The characters of a text that need not be UTF-8.
struct Characters<'a>(Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Characters<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct CharactersVisitor;

        impl<'de> Visitor<'de> for CharactersVisitor {
            type Value = Characters<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Characters(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Characters(Cow::Owned(bytes.to_vec())))
            }
        }

        json.deserialize_bytes(CharactersVisitor)
    }
}

/// A child shard as the service describes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Child {
    shard_id: String,
    parent_shards: Vec<String>,
    hash_key_range: ChildRange,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChildRange {
    starting_hash_key: String,
    ending_hash_key: String,
}

impl Child {
    fn into_shard(self) -> Result<ChildShard, String> {
        let bound = |digits: &str| {
            let key = digits.parse().map(HashKey);
            key.map_err(|_| format!("hash key '{digits}' is no decimal number below 2^128"))
        };
        Ok(ChildShard {
            hash_range: HashRange {
                start: bound(&self.hash_key_range.starting_hash_key)?,
                end: bound(&self.hash_key_range.ending_hash_key)?,
            },
            id: ShardId::new(self.shard_id),
            parents: self.parent_shards.into_iter().map(ShardId::new).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
