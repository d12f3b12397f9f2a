//! Requests of SubscribeToShard.

use serde_json::json;

use crate::kinesis::IteratorPosition;
use crate::model::{ConsumerArn, ShardId};

/// The body of a request.
pub(in crate::kinesis) fn subscribe_to_shard(
    consumer: &ConsumerArn,
    shard: &ShardId,
    position: &IteratorPosition,
) -> Vec<u8> {
    let position = match position {
        IteratorPosition::TrimHorizon => json!({ "Type": "TRIM_HORIZON" }),
        IteratorPosition::Latest => json!({ "Type": "LATEST" }),
        IteratorPosition::AtTimestamp(time) => {
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds are below 2^53 until the year 287396"
            )]
            let seconds = time.0 as f64 / 1_000.0;
            json!({ "Type": "AT_TIMESTAMP", "Timestamp": seconds })
        }
        IteratorPosition::At(sequence) => {
            json!({ "Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": sequence.as_str() })
        }
        IteratorPosition::After(sequence) => {
            json!({ "Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sequence.as_str() })
        }
    };
    let body = json!({
        "ConsumerARN": consumer.as_str(),
        "ShardId": shard.as_str(),
        "StartingPosition": position,
    });
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SequenceNumber, UnixMillis};

    #[test]
    fn the_position_has_the_type_and_what_belongs_to_it() {
        let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/words/consumer/sql:1525898737";
        let (consumer, shard) = (ConsumerArn::new(arn).unwrap(), ShardId::new("shardId-1"));
        let of = |position: &IteratorPosition| {
            let body = subscribe_to_shard(&consumer, &shard, position);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["ConsumerARN"], arn);
            assert_eq!(body["ShardId"], "shardId-1");
            body["StartingPosition"].to_string()
        };
        let number = SequenceNumber::new("17").unwrap();
        assert_eq!(
            of(&IteratorPosition::AtTimestamp(UnixMillis(
                1_721_946_460_247
            ))),
            r#"{"Timestamp":1721946460.247,"Type":"AT_TIMESTAMP"}"#
        );
        assert_eq!(
            of(&IteratorPosition::At(number.clone())),
            r#"{"SequenceNumber":"17","Type":"AT_SEQUENCE_NUMBER"}"#
        );
        assert_eq!(
            of(&IteratorPosition::After(number)),
            r#"{"SequenceNumber":"17","Type":"AFTER_SEQUENCE_NUMBER"}"#
        );
        assert_eq!(of(&IteratorPosition::Latest), r#"{"Type":"LATEST"}"#);
        assert_eq!(
            of(&IteratorPosition::TrimHorizon),
            r#"{"Type":"TRIM_HORIZON"}"#
        );
    }
}
