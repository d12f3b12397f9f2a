//! Bodies that the AWS SDK for Java 2.57.8 sent and read, and variants of them.

use std::time::Duration;

use super::reading::Malformed;
use super::*;
use crate::kinesis::buffer_pool::BufferPool;
use crate::kinesis::wire::Refusal;
use crate::kinesis::{PutEntry, RecordColumns, RecordsPage, ShardIterator};
use crate::model::{HashKey, StreamIdentity};
use datafusion::arrow::array::Array;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A page with one record. `time` is its arrival time, `data` its payload.
fn answer(time: &str, data: &str) -> Vec<u8> {
    bytes(&format!(
        "a3 714e65787453686172644974657261746f72 644e455854 724d696c6c6973426568696e644c6174657374 190bb8
         675265636f726473 81 a4 6e53657175656e63654e756d626572 623439
         781b417070726f78696d6174654172726976616c54696d657374616d70 {time}
         6444617461 {data} 6c506172746974696f6e4b6579 62706b"
    ))
}

/// Tag 1 and milliseconds.
const TIME: &str = "c1 1b00000190ec01d057";
const HELLO: &str = "4568656c6c6f";

fn read(body: &[u8]) -> Result<RecordsPage, Malformed> {
    records_page(body, RecordColumns::ALL, &BufferPool::default())
}

fn page(body: &[u8]) -> RecordsPage {
    read(body).unwrap()
}

#[test]
fn a_page_is_read_as_the_java_sdk_reads_it() {
    // Maps, arrays and byte strings of unknown length.
    let indefinite = bytes(
        "bf714e65787453686172644974657261746f72644e455854724d696c6c6973426568696e644c6174657374190bb867
         5265636f7264739fbf6e53657175656e63654e756d626572623439781b417070726f78696d61746541727269
         76616c54696d657374616d70c11b00000190ec01d05764446174615f426865436c6c6fff6c50617274697469
         6f6e4b657962706bffffff",
    );
    for body in [answer(TIME, HELLO), indefinite] {
        let page = page(&body);
        assert_eq!((page.len(), page.data().value(0)), (1, &b"hello"[..]));
        assert_eq!(page.partition_key().unwrap().value(0), "pk");
        assert_eq!(page.sequence_number().unwrap().value(0), "49");
        assert_eq!(page.last_sequence().unwrap().as_str(), "49");
        assert_eq!(page.arrival().unwrap().value(0), 1_721_946_460_247_000);
        assert_eq!(page.behind_latest, Some(Duration::from_secs(3)));
        assert_eq!(page.size_bytes(), 7);
        assert_eq!(page.next.unwrap().as_str(), "NEXT");
    }
}

#[test]
fn times_are_read_in_the_forms_of_all_servers() {
    for (time, micros) in [
        ("1b00000190ec01d057", 1_721_946_460_247_000_i64),
        ("fb42790ec01d057000", 1_721_946_460_247_000),
        ("c1fb41d9a8b4570fced9", 1_721_946_460_247_000),
        ("c11a66a2d49c", 1_721_947_292_000_000),
        ("1a66a2d49c", 1_721_947_292_000_000),
    ] {
        let page = page(&answer(time, HELLO));
        assert_eq!(page.arrival().unwrap().value(0), micros, "{time}");
    }
    assert!(page(&answer("f6", HELLO)).arrival().unwrap().is_null(0));
}

#[test]
fn data_is_bytes_or_base64_text() {
    // "aGVsbG8=", at once and in two parts.
    for data in [
        "6861475673624738 3d",
        "7f 6461475673 64 6247383d ff",
        "40",
        "5f ff",
        "60",
    ] {
        let expected = match data.len() > 5 {
            true => &b"hello"[..],
            false => b"",
        };
        assert_eq!(
            page(&answer(TIME, data)).data().value(0),
            expected,
            "{data}"
        );
    }
}

#[test]
fn the_last_page_of_a_shard_has_children_and_no_iterator() {
    let child = "a3 6753686172644964 6173 6c506172656e74536861726473 82 6161 6162
        6c486173684b657952616e6765 a2 6f5374617274696e67486173684b6579 6130 6d456e64696e67486173684b6579 6139";
    let body = bytes(&format!(
        "a4 675265636f726473 80 724d696c6c6973426568696e644c6174657374 00
         6b4368696c64536861726473 81 {child} 634e6577 a1 6161 9f 01 f6 ff"
    ));
    let page = page(&body);
    assert!(page.is_empty() && page.next.is_none() && page.last_sequence().is_none());
    let [child] = page.children.as_slice() else {
        panic!("{:?}", page.children);
    };
    assert_eq!((child.id.as_str(), child.parents.len()), ("s", 2));
    assert_eq!(
        (child.hash_range.start, child.hash_range.end),
        (HashKey(0), HashKey(9))
    );
}

#[test]
fn every_truncation_is_an_error() {
    let whole = answer(TIME, HELLO);
    for end in 0..whole.len() {
        let cut = read(&whole[..end]);
        assert!(cut.is_err(), "{end}");
    }
    let longer = [&whole[..], &[0]].concat();
    let error = read(&longer).unwrap_err();
    assert_eq!(error.to_string(), "1 bytes follow the answer");
}

/// A head with any of the lengths that can encode its argument.
fn head(random: &mut fastrand::Rng, major: u8, argument: u64, body: &mut Vec<u8>) {
    let least = match argument {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 3,
        _ => 4,
    };
    let length = random.u8(least..=4);
    let bytes = argument.to_be_bytes();
    match length {
        0 => body.push(major << 5 | argument as u8),
        _ => {
            body.push(major << 5 | (23 + length));
            body.extend_from_slice(&bytes[8 - (1 << (length - 1))..]);
        }
    }
}

/// A string at once, or in chunks.
fn string(random: &mut fastrand::Rng, major: u8, bytes: &[u8], body: &mut Vec<u8>) {
    if random.bool() {
        head(random, major, bytes.len() as u64, body);
        return body.extend_from_slice(bytes);
    }
    body.push(major << 5 | 31);
    for chunk in bytes.chunks(random.usize(1..9)) {
        head(random, major, chunk.len() as u64, body);
        body.extend_from_slice(chunk);
    }
    body.push(0xFF);
}

fn text(random: &mut fastrand::Rng, text: &str, body: &mut Vec<u8>) {
    string(random, 3, text.as_bytes(), body);
}

/// Starts a map or an array of this many parts. Returns whether it needs a break.
fn start(random: &mut fastrand::Rng, major: u8, parts: u64, body: &mut Vec<u8>) -> bool {
    let is_open = random.bool();
    match is_open {
        true => body.push(major << 5 | 31),
        false => head(random, major, parts, body),
    }
    is_open
}

#[test]
fn random_forms_of_a_page_are_read_and_random_changes_never_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..500 {
        let rows: Vec<(Vec<u8>, String, u64)> = (0..random.usize(0..20))
            .map(|row| {
                let data = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
                let key = "kü€".chars().cycle().take(random.usize(1..20)).collect();
                (data, key, 1_700_000_000_000 + row as u64)
            })
            .collect();
        let mut body = Vec::new();
        let is_open = start(&mut random, 5, 1, &mut body);
        text(&mut random, "Records", &mut body);
        let are_open = start(&mut random, 4, rows.len() as u64, &mut body);
        for (row, (data, key, time)) in rows.iter().enumerate() {
            let has_break = start(&mut random, 5, 5, &mut body);
            let mut members = [0, 1, 2, 3, 4];
            random.shuffle(&mut members);
            for member in members {
                let random = &mut random;
                match member {
                    0 => {
                        text(random, "Data", &mut body);
                        string(random, 2, data, &mut body);
                    }
                    1 => {
                        text(random, "PartitionKey", &mut body);
                        text(random, key, &mut body);
                    }
                    2 => {
                        text(random, "SequenceNumber", &mut body);
                        text(random, &format!("4{row}"), &mut body);
                    }
                    3 => {
                        text(random, "ApproximateArrivalTimestamp", &mut body);
                        if random.bool() {
                            body.push(0xC1);
                        }
                        head(random, 0, *time, &mut body);
                    }
                    _ => {
                        text(random, "New", &mut body);
                        body.extend_from_slice(&[0x9F, 0xF6, 0xA1, 0x61, b'x', 0x5F, 0xFF, 0xFF]);
                    }
                }
            }
            body.extend(has_break.then_some(0xFF));
        }
        body.extend(are_open.then_some(0xFF));
        body.extend(is_open.then_some(0xFF));

        let page = page(&body);
        assert_eq!(page.len(), rows.len());
        for (row, (data, key, time)) in rows.iter().enumerate() {
            assert_eq!(page.data().value(row), data);
            assert_eq!(page.partition_key().unwrap().value(row), key);
            assert_eq!(
                page.sequence_number().unwrap().value(row),
                format!("4{row}")
            );
            assert_eq!(page.arrival().unwrap().value(row), *time as i64 * 1_000);
        }
        for _ in 0..20 {
            let mut changed = body.clone();
            let at = random.usize(..changed.len());
            changed[at] = random.u8(..);
            let _ = read(&changed);
            assert!(read(&body[..at]).is_err());
        }
    }
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_and_not_a_lost_record() {
    let records = |record: &str| bytes(&format!("a1 675265636f726473 81 {record}"));
    let data = "6444617461";
    let number = "6e53657175656e63654e756d626572";
    for (record, expected) in [
        (format!("a1 {number} 6131"), "missing member 'Data'"),
        (format!("a1 {data} 40"), "missing member 'SequenceNumber'"),
        (format!("a2 {data} f6 {number} 6131"), "found null"),
        (format!("a2 {data} 6161 {number} 6131"), "no valid base64"),
        (format!("a2 {data} 40 {number} 6178"), "sequence number 'x'"),
        (format!("a2 {data} 40 {number} 01"), "expected a text"),
        ("f6".to_owned(), "expected a map"),
        // A map, and a string, that say they are longer than the body.
        ("bb7fffffffffffffff".to_owned(), "ends inside a value"),
        (
            format!("a1 {data} 5b7fffffffffffffff"),
            "ends inside a value",
        ),
    ] {
        let error = read(&records(&record)).unwrap_err();
        assert!(error.to_string().contains(expected), "{record}: {error}");
    }
}

#[test]
fn requests_of_get_records_are_those_of_the_java_sdk() {
    let stream = StreamIdentity::parse("words").unwrap();
    let body = get_records(&stream, &ShardIterator::new("AAAA".to_owned()), 10_000);
    let expected = "bf 6d53686172644974657261746f72 6441414141 654c696d6974 192710 ff";
    assert_eq!(body, bytes(expected));
}

#[test]
fn requests_of_put_records_are_those_of_the_java_sdk() {
    let stream = StreamIdentity::parse("s").unwrap();
    let entry = |data: Vec<u8>, key: &str, hash: Option<u128>| PutEntry {
        data: data.into(),
        partition_key: key.into(),
        explicit_hash_key: hash.map(HashKey),
    };
    let entries = [
        entry(b"hello".to_vec(), "pk", Some(0)),
        entry(vec![0; 300], "é", None),
    ];
    let expected = format!(
        "bf 675265636f726473 9f bf 6444617461 4568656c6c6f 6f4578706c69636974486173684b6579 6130
         6c506172746974696f6e4b6579 62706b ff bf 6444617461 59012c {} 6c506172746974696f6e4b6579 62c3a9 ff ff
         6a53747265616d4e616d65 6173 ff",
        "00".repeat(300)
    );
    assert_eq!(put_records(&stream, &entries), bytes(&expected));
}

#[test]
fn each_entry_has_its_outcome() {
    let body = bytes(
        "a2 71 4661696c65645265636f7264436f756e74 01 675265636f726473 9f
         bf 6753686172644964 6173 6e53657175656e63654e756d626572 6137 ff
         a2 694572726f72436f6465 6f496e7465726e616c4661696c757265 6c4572726f724d657373616765 626e6f ff",
    );
    let outcomes = put_outcomes(&body).unwrap();
    let written = outcomes[0].as_ref().unwrap();
    assert_eq!(
        (written.shard.as_str(), written.sequence.as_str()),
        ("s", "7")
    );
    let failure = outcomes[1].as_ref().unwrap_err();
    assert_eq!(
        (failure.throttled, failure.message.as_str()),
        (false, "InternalFailure: no")
    );
    for end in 0..body.len() {
        assert!(put_outcomes(&body[..end]).is_err(), "{end}");
    }
    assert!(put_outcomes(&[0xa0]).is_err());
}

#[test]
fn a_refusal_has_a_code_without_namespace_and_a_message() {
    for message in ["676d657373616765", "674d657373616765"] {
        let body = bytes(&format!("a2 665f5f74797065 65 6123436f64 {message} 626e6f"));
        let expected = Refusal {
            code: Some("Cod".to_owned()),
            message: Some("no".to_owned()),
        };
        assert_eq!(refusal(&body).unwrap(), expected);
    }
    assert!(refusal(b"{}").is_err());
    assert_eq!(refusal(&[0xa0]).unwrap(), Refusal::default());
}

/// Its missing iterator would otherwise end the shard.
#[test]
fn an_answer_without_records_is_no_page() {
    for body in ["a0", "a1 6161 01"] {
        let error = read(&bytes(body)).unwrap_err();
        assert_eq!(error.to_string(), "missing member 'Records'");
    }
    let twice = bytes("a2 675265636f726473 80 675265636f726473 80");
    let error = read(&twice).unwrap_err();
    assert!(error.to_string().contains("duplicate member"), "{error}");
}

#[test]
fn a_time_that_cannot_be_is_an_error() {
    for time in [
        "3b7fffffffffffffff",
        "1b7fffffffffffffff",
        "fb7ff8000000000000",
        "fb7ff0000000000000",
    ] {
        let error = read(&answer(time, HELLO)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("no time of an arrival"), "{time}: {error}");
    }
}
