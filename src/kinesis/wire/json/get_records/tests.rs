use std::time::Duration;

use super::*;
use datafusion::arrow::array::Array;

/// As the service answers: no spaces, times as seconds with three decimals.
const ANSWER: &str = concat!(
    r#"{"MillisBehindLatest":3000,"NextShardIterator":"AAAA/+=","Records":["#,
    r#"{"ApproximateArrivalTimestamp":1.721946460247E9,"Data":"aGVsbG8=","PartitionKey":"k","SequenceNumber":"17"},"#,
    r#"{"ApproximateArrivalTimestamp":1721946461,"Data":"","EncryptionType":"KMS","PartitionKey":"ü\u00fc","SequenceNumber":"18"}"#,
    r#"]}"#
);

fn page(body: &str) -> RecordsPage {
    records_page(body.as_bytes(), RecordColumns::ALL, &BufferPool::default()).unwrap()
}

fn refusal(body: &str) -> String {
    let decoded = records_page(body.as_bytes(), RecordColumns::ALL, &BufferPool::default());
    decoded.expect_err("the answer is not valid").to_string()
}

#[test]
fn an_answer_becomes_columns() {
    let page = page(ANSWER);
    assert_eq!(page.len(), 2);
    assert_eq!(
        (page.data().value(0), page.data().value(1)),
        (&b"hello"[..], &b""[..])
    );
    let keys = page.partition_key().unwrap();
    assert_eq!((keys.value(0), keys.value(1)), ("k", "üü"));
    let numbers = page.sequence_number().unwrap();
    assert_eq!((numbers.value(0), numbers.value(1)), ("17", "18"));
    let arrival = page.arrival().unwrap();
    assert_eq!(
        arrival.values(),
        &[1_721_946_460_247_000, 1_721_946_461_000_000]
    );
    // Payloads and keys: 5 + 1 and 0 + 4 bytes.
    assert_eq!(page.size_bytes(), 10);
    assert_eq!(page.last_sequence().unwrap().as_str(), "18");
    assert_eq!(page.next.unwrap().as_str(), "AAAA/+=");
    assert_eq!(page.behind_latest, Some(Duration::from_secs(3)));
    assert!(page.children.is_empty());
}

#[test]
fn the_last_page_of_a_shard_has_children_and_no_iterator() {
    let page = page(
        r#"{"ChildShards":[{"HashKeyRange":{"EndingHashKey":"340282366920938463463374607431768211455",
            "StartingHashKey":"0"},"ParentShards":["shardId-000000000000","shardId-000000000001"],
            "ShardId":"shardId-000000000002"}],"MillisBehindLatest":0,"NextShardIterator":null,"Records":[]}"#,
    );
    assert!(page.is_empty() && page.next.is_none() && page.last_sequence().is_none());
    let [child] = page.children.as_slice() else {
        panic!("{:?}", page.children);
    };
    assert_eq!(child.id.as_str(), "shardId-000000000002");
    assert_eq!(child.parents.len(), 2);
    assert_eq!(child.hash_range.end, HashKey(u128::MAX));
}

#[test]
fn members_may_be_missing_null_or_unknown() {
    let page = page(
        r#" { "New" : [ { "a" : 1 } ] , "Records" : [ { "SequenceNumber" : "5" , "PartitionKey" : null ,
              "Data" : "YQ==" , "ApproximateArrivalTimestamp" : null , "New" : null } ] } "#,
    );
    assert_eq!(page.data().value(0), b"a");
    assert!(page.partition_key().unwrap().is_null(0));
    assert!(page.arrival().unwrap().is_null(0));
    assert_eq!((page.behind_latest, page.next.is_none()), (None, true));
}

#[test]
fn escaped_data_is_read() {
    let page = page(r#"{"Records":[{"Data":"\/\/\u002b\/","SequenceNumber":"1"}]}"#);
    assert_eq!(page.data().value(0), [0xff, 0xff, 0xbf]);
}

#[test]
fn columns_that_are_not_asked_for_are_not_built() {
    let page = records_page(
        ANSWER.as_bytes(),
        RecordColumns::DATA_ONLY,
        &BufferPool::default(),
    )
    .unwrap();
    assert_eq!((page.len(), page.size_bytes()), (2, 10));
    assert!(page.partition_key().is_none() && page.sequence_number().is_none());
    assert_eq!(page.last_sequence().unwrap().as_str(), "18");
}

#[test]
fn every_truncation_is_an_error() {
    for end in 0..ANSWER.len() {
        let cut = &ANSWER.as_bytes()[..end];
        assert!(
            records_page(cut, RecordColumns::ALL, &BufferPool::default()).is_err(),
            "{end}"
        );
    }
    assert!(refusal(&format!("{ANSWER}x")).starts_with("trailing characters"));
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_and_not_a_lost_record() {
    for (record, expected) in [
        (r#"{"SequenceNumber":"1"}"#, "missing field `Data`"),
        (r#"{"Data":"YQ=="}"#, "missing field `SequenceNumber`"),
        (r#"{"Data":"YQ","SequenceNumber":"1"}"#, "record 1: "),
        (r#"{"Data":"Y!==","SequenceNumber":"1"}"#, "record 1: "),
        (
            r#"{"Data":null,"SequenceNumber":"1"}"#,
            "invalid type: null",
        ),
        (r#"{"Data":[97],"SequenceNumber":"1"}"#, ""),
        (
            r#"{"Data":"YQ==","SequenceNumber":"x1"}"#,
            "sequence number 'x1'",
        ),
        (
            r#"{"Data":"YQ==","SequenceNumber":1}"#,
            "invalid type: integer",
        ),
        ("null", "invalid type: null"),
    ] {
        let error = refusal(&format!(r#"{{"Records":[{record}]}}"#));
        assert!(error.contains(expected), "{record}: {error}");
    }
    assert!(refusal("<html>").contains("expected value"));
    assert!(refusal(r#"{"Records":{}}"#).contains("invalid type: map"));
}

#[test]
fn times_keep_their_milliseconds() {
    for millis in [
        1_721_946_460_247_i64,
        1_721_946_460_999,
        1_560_944_718_833,
        0,
        -1,
    ] {
        let seconds = format!(
            "{}{}.{:03}",
            if millis < 0 { "-" } else { "" },
            millis.abs() / 1_000,
            millis.abs() % 1_000
        );
        let body = format!(
            r#"{{"Records":[{{"Data":"","SequenceNumber":"1","ApproximateArrivalTimestamp":{seconds}}}]}}"#
        );
        assert_eq!(page(&body).arrival().unwrap().value(0), millis * 1_000);
    }
}

/// Its missing iterator would otherwise end the shard.
#[test]
fn an_answer_without_records_is_no_page() {
    for body in [
        "{}",
        r#"{"message":"busy"}"#,
        r#"{"NextShardIterator":"A"}"#,
    ] {
        assert!(refusal(body).contains("missing field `Records`"), "{body}");
    }
    let twice = r#"{"Records":[],"Records":[]}"#;
    assert!(refusal(twice).contains("duplicate field `Records`"));
}

#[test]
fn a_time_or_number_that_cannot_be_is_an_error() {
    for (record, expected) in [
        (
            r#""SequenceNumber":"1","ApproximateArrivalTimestamp":1e300"#,
            "no time of an arrival",
        ),
        (
            r#""SequenceNumber":"1","ApproximateArrivalTimestamp":-1e12"#,
            "no time of an arrival",
        ),
        (r#""SequenceNumber":"1x""#, "sequence number '1x'"),
    ] {
        let records =
            format!(r#"{{"Records":[{{"Data":"",{record}}},{{"Data":"","SequenceNumber":"2"}}]}}"#);
        let error = refusal(&records);
        assert!(error.contains(expected), "{record}: {error}");
    }
    let behind = page(r#"{"Records":[],"MillisBehindLatest":1500.0}"#).behind_latest;
    assert_eq!(behind, Some(Duration::from_millis(1_500)));
}
