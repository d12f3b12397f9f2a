//! Requests of PutRecords, and the answers to them.

use serde::Deserialize;
use serde::de::Error;

use crate::kinesis::wire::put_outcome::{Written, put_outcome};
use crate::kinesis::{PutEntry, PutOutcome};
use crate::model::StreamIdentity;

/// The body of a request that writes these entries.
pub(in crate::kinesis) fn put_records(stream: &StreamIdentity, entries: &[PutEntry]) -> Vec<u8> {
    /// Names, quotes and a hash key.
    const ENTRY_BYTES: usize = 110;
    let sizes = entries.iter().map(|entry| {
        base64_simd::STANDARD.encoded_length(entry.data.len())
            + entry.partition_key.len()
            + ENTRY_BYTES
    });
    let mut body = Vec::with_capacity(sizes.sum::<usize>() + 256);
    body.extend_from_slice(match stream.arn() {
        Some(_) => b"{\"StreamARN\":",
        None => b"{\"StreamName\":",
    });
    text(stream.arn().unwrap_or(stream.name().as_str()), &mut body);
    body.extend_from_slice(b",\"Records\":[");
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"Data\":\"");
        base64_simd::STANDARD.encode_append(&entry.data, &mut body);
        body.extend_from_slice(b"\",\"PartitionKey\":");
        text(&entry.partition_key, &mut body);
        if let Some(key) = entry.explicit_hash_key {
            body.extend_from_slice(b",\"ExplicitHashKey\":\"");
            body.extend_from_slice(key.to_string().as_bytes());
            body.push(b'"');
        }
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body
}

fn text(text: &str, body: &mut Vec<u8>) {
    serde_json::to_writer(body, text).expect("writing text to memory cannot fail");
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(borrow)]
    records: Vec<Written<'a>>,
}

/// The outcome of each entry, in the order of the request.
///
/// # Errors
/// The answer is no JSON, or lacks a member that the service always sends.
pub(in crate::kinesis) fn put_outcomes(body: &[u8]) -> Result<Vec<PutOutcome>, serde_json::Error> {
    let answer: Answer = serde_json::from_slice(body)?;
    let outcomes = answer.records.into_iter().map(put_outcome);
    outcomes
        .map(|outcome| outcome.map_err(serde_json::Error::custom))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HashKey;
    use serde_json::{Value, json};

    fn entry(data: &'static [u8], key: &str, hash: Option<u128>) -> PutEntry {
        PutEntry {
            data: data.into(),
            partition_key: key.into(),
            explicit_hash_key: hash.map(HashKey),
        }
    }

    #[test]
    fn a_request_is_json_with_the_data_in_base64() {
        let stream = StreamIdentity::parse("words").unwrap();
        let entries = [
            entry(b"hello", "a\"\\\n\u{7f}ü", Some(u128::MAX)),
            entry(b"", "k", None),
        ];
        let body: Value = serde_json::from_slice(&put_records(&stream, &entries)).unwrap();
        assert_eq!(
            body,
            json!({ "StreamName": "words", "Records": [
                { "Data": "aGVsbG8=", "PartitionKey": "a\"\\\n\u{7f}ü",
                  "ExplicitHashKey": "340282366920938463463374607431768211455" },
                { "Data": "", "PartitionKey": "k" },
            ]})
        );
        let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";
        let stream = StreamIdentity::parse(arn).unwrap();
        let body: Value = serde_json::from_slice(&put_records(&stream, &[])).unwrap();
        assert_eq!(body, json!({ "StreamARN": arn, "Records": [] }));
    }

    #[test]
    fn each_entry_has_its_outcome() {
        let answer = json!({ "FailedRecordCount": 2, "EncryptionType": "NONE", "Records": [
            { "SequenceNumber": "17", "ShardId": "shardId-000000000000" },
            { "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate \"exceeded\"",
              "SequenceNumber": null, "ShardId": null },
            { "ErrorCode": "InternalFailure" },
        ]});
        let outcomes = put_outcomes(answer.to_string().as_bytes()).unwrap();
        let written = outcomes[0].as_ref().unwrap();
        assert_eq!(
            (written.shard.as_str(), written.sequence.as_str()),
            ("shardId-000000000000", "17")
        );
        let failures: Vec<_> = outcomes[1..]
            .iter()
            .map(|outcome| {
                let failure = outcome.as_ref().unwrap_err();
                (failure.throttled, failure.message.as_str())
            })
            .collect();
        assert_eq!(
            failures,
            [
                (
                    true,
                    "ProvisionedThroughputExceededException: Rate \"exceeded\""
                ),
                (false, "InternalFailure: "),
            ]
        );
    }

    #[test]
    fn an_incomplete_outcome_is_an_error() {
        for record in [
            json!({ "ShardId": "s" }),
            json!({ "SequenceNumber": "1" }),
            json!({ "ShardId": "s", "SequenceNumber": "one" }),
            json!(null),
        ] {
            let answer = json!({ "Records": [record] });
            assert!(
                put_outcomes(answer.to_string().as_bytes()).is_err(),
                "{answer}"
            );
        }
        assert!(put_outcomes(b"{}").is_err());
    }
}
