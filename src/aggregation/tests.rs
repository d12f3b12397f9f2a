//! Encoding and decoding against aggregates of other libraries and random ones.

use md5::{Digest, Md5};

use super::*;

type Owned = (String, Option<HashKey>, Vec<u8>);

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

fn user_record((partition_key, explicit_hash_key, data): &Owned) -> UserRecord<'_> {
    UserRecord {
        partition_key,
        explicit_hash_key: *explicit_hash_key,
        data,
    }
}

fn opened(record: &[u8]) -> Option<Vec<Owned>> {
    match open(record) {
        Opened::Aggregate(records) => {
            let expected_len = records.len();
            let all: Vec<_> = records
                .map(|r| {
                    (
                        r.partition_key.to_owned(),
                        r.explicit_hash_key,
                        r.data.to_vec(),
                    )
                })
                .collect();
            assert_eq!(all.len(), expected_len);
            Some(all)
        }
        Opened::Plain | Opened::Damaged => None,
    }
}

/// Wraps `message` in magic bytes and checksum.
fn sealed(message: &[u8]) -> Vec<u8> {
    let digest = Md5::digest(message);
    [&MAGIC[..], message, &digest[..]].concat()
}

/// Aggregates of other libraries, with the user records they were made from.
fn vectors() -> Vec<(String, Vec<Owned>, Vec<u8>)> {
    let json: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/data/kpl_aggregation.json")).unwrap();
    let record = |value: &serde_json::Value| {
        let hash_key = value[1]
            .as_str()
            .map(|digits| HashKey::from_decimal(digits).unwrap());
        let data = unhex(value[2].as_str().unwrap());
        (value[0].as_str().unwrap().to_owned(), hash_key, data)
    };
    (json.as_array().unwrap().iter())
        .map(|vector| {
            (
                vector["name"].as_str().unwrap().to_owned(),
                vector["records"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(record)
                    .collect(),
                unhex(vector["hex"].as_str().unwrap()),
            )
        })
        .collect()
}

#[test]
fn aggregates_of_other_libraries_decode_to_their_records() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 5);
    for (name, records, bytes) in vectors {
        assert!(looks_aggregated(&bytes), "{name}");
        assert_eq!(opened(&bytes), Some(records), "{name}");
    }
}

#[test]
fn encoding_gives_the_same_bytes_as_other_libraries() {
    let mut builder = AggregateBuilder::new(usize::MAX);
    for (name, records, bytes) in vectors() {
        for record in &records {
            assert_eq!(builder.try_push(&user_record(record)), Push::Added);
        }
        assert_eq!(builder.size_bytes(), bytes.len(), "{name}");
        assert_eq!(builder.finish(), bytes, "{name}");
    }
}

#[test]
fn a_record_that_only_starts_like_an_aggregate_is_plain() {
    for (what, hex) in [
        (
            "checksum off by one",
            "f3899ac20a03706b311a0908001a0568656c6c6f1a0908001a05776f726c64f5fb92b07d5dc986bb5915e9657557ab",
        ),
        (
            "last byte missing",
            "f3899ac20a03706b311a0908001a0568656c6c6f1a0908001a05776f726c64f5fb92b07d5dc986bb5915e9657557",
        ),
        (
            "checksum of nothing",
            "f3899ac2d41d8cd98f00b204e9800998ecf8427e",
        ),
        ("magic alone", "f3899ac2"),
        (
            "valid checksum, invalid protobuf",
            "f3899ac2ffffffffffffffffc2cb56f4c5bf656faca0986e7eba0308",
        ),
        (
            "a record without data",
            "f3899ac20a03706b311a020800cdb2186c5977acc9c9cd187f5cad6327",
        ),
    ] {
        assert!(matches!(open(&unhex(hex)), Opened::Plain), "{what}");
    }
    assert!(matches!(open(b""), Opened::Plain));
    assert!(
        matches!(open(&sealed(b"\x0a\x01a\x1a\x03\x1a\x01x")), Opened::Plain),
        "no key index"
    );
    assert!(
        matches!(open(&sealed(b"\x0a\x01a\x1b\x1c")), Opened::Plain),
        "a group"
    );
}

#[test]
fn an_index_outside_its_table_damages_the_whole_aggregate() {
    // Its first record is valid, but none must be returned.
    let bytes = unhex(
        "f3899ac20a03706b311a0608001a026f6b1a0708071a036261641a0908001a0561667465722ef3c959bb21c264385c0e2195fb1bcf",
    );
    assert!(matches!(open(&bytes), Opened::Damaged));
    let no_such_hash_key = sealed(b"\x0a\x01a\x12\x010\x1a\x07\x08\x00\x10\x01\x1a\x01x");
    assert!(matches!(open(&no_such_hash_key), Opened::Damaged));
    let far_out = sealed(b"\x0a\x01a\x1a\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x00");
    assert!(matches!(open(&far_out), Opened::Damaged));
}

#[test]
fn a_key_longer_than_any_partition_key_is_damaged() {
    let with_key = |key: &str| {
        let mut builder = AggregateBuilder::new(1 << 20);
        for _ in 0..2 {
            let (explicit_hash_key, data) = (None, b"x".as_slice());
            builder.try_push(&UserRecord {
                partition_key: key,
                explicit_hash_key,
                data,
            });
        }
        builder.finish()
    };
    assert!(matches!(
        open(&with_key(&"k".repeat(1_025))),
        Opened::Damaged
    ));
    assert!(matches!(
        open(&with_key(&"\u{10348}".repeat(256))),
        Opened::Aggregate(_)
    ));
}

#[test]
fn an_aggregate_with_an_invalid_key_is_damaged() {
    let not_utf8 = sealed(b"\x0a\x01\xff\x1a\x05\x08\x00\x1a\x01x");
    assert!(matches!(open(&not_utf8), Opened::Damaged));
    let not_decimal = sealed(b"\x0a\x01a\x12\x02-1\x1a\x07\x08\x00\x10\x00\x1a\x01x");
    assert!(matches!(open(&not_decimal), Opened::Damaged));
}

#[test]
fn field_order_unknown_fields_and_tags_are_ignored() {
    let bytes = unhex(
        "f3899ac21a1208011a017822060a017412017622030a01757a037a7a7a0a01610a01623ac0ed4a2d15a6d0cd1435e6ec07f4c6",
    );
    assert_eq!(
        opened(&bytes),
        Some(vec![("b".into(), None, b"x".to_vec())])
    );
    // Unknown fields of every other wire type, around and inside the record.
    let message = b"\x78\x05\x79\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x01a\
                    \x1a\x0f\x7d\x01\x02\x03\x04\x1a\x01x\x08\x00\x38\x80\x01\x42\x00";
    assert_eq!(
        opened(&sealed(message)),
        Some(vec![("a".into(), None, b"x".to_vec())])
    );
}

#[test]
fn an_empty_aggregate_has_no_records() {
    let bytes = unhex("f3899ac20a03706b31e4a4b73894d456d805f23e62c54ab534");
    assert_eq!(opened(&bytes), Some(vec![]));
}

#[test]
fn non_minimal_varints_are_accepted() {
    let bytes = unhex("f3899ac20a03706b311a060880001a017126a112da5f581e70d77fdbde5a9bde9a");
    assert_eq!(
        opened(&bytes),
        Some(vec![("pk1".into(), None, b"q".to_vec())])
    );
    let long_length = sealed(b"\x0a\x81\x80\x00a\x1a\x87\x00\x08\x00\x1a\x81\x80\x00x");
    assert_eq!(
        opened(&long_length),
        Some(vec![("a".into(), None, b"x".to_vec())])
    );
}

#[test]
fn the_last_of_repeated_fields_wins() {
    let message = b"\x0a\x01a\x0a\x01b\x1a\x0a\x08\x00\x1a\x01x\x08\x01\x1a\x01y";
    assert_eq!(
        opened(&sealed(message)),
        Some(vec![("b".into(), None, b"y".to_vec())])
    );
}

#[test]
fn an_explicit_hash_key_overrides_the_hash_of_the_partition_key() {
    let record = (String::from("a"), Some(HashKey(7)), Vec::new());
    assert_eq!(user_record(&record).hash_key(), HashKey(7));
    let record = (String::from("a"), None, Vec::new());
    assert_eq!(
        user_record(&record).hash_key(),
        HashKey::of_partition_key("a")
    );
}

#[test]
fn the_first_record_is_returned_unchanged() {
    let mut builder = AggregateBuilder::new(1_000);
    assert_eq!(builder.first(), None);
    let first = (String::from("é世"), Some(HashKey(9)), b"one".to_vec());
    builder.try_push(&user_record(&first));
    builder.try_push(&user_record(&(String::from("b"), None, b"two".to_vec())));
    assert_eq!(builder.first(), Some(user_record(&first)));
    builder.clear();
    assert_eq!((builder.first(), builder.len()), (None, 0));
}

fn random_record(random: &mut fastrand::Rng) -> Owned {
    let key = format!(
        "key-{}",
        "é".repeat(random.usize(0..3)) + &random.u8(0..40).to_string()
    );
    let hash_key = match random.u8(0..6) {
        0 => Some(HashKey(random.u128(..))),
        1 => Some(HashKey(u128::from(random.u8(0..4)))),
        _ => None,
    };
    let data = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
    (key, hash_key, data)
}

#[test]
fn random_records_round_trip_within_the_exact_size() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..300 {
        let max_bytes = random.usize(20..20_000);
        let mut builder = AggregateBuilder::new(max_bytes);
        let mut pushed = Vec::new();
        loop {
            let record = random_record(&mut random);
            let size_before = builder.size_bytes();
            match builder.try_push(&user_record(&record)) {
                Push::Added => pushed.push(record),
                Push::NoRoom => {
                    assert_eq!(builder.size_bytes(), size_before);
                    break;
                }
            }
        }
        assert_eq!(builder.len(), pushed.len());
        let size_bytes = builder.size_bytes();
        let bytes = builder.finish();
        assert_eq!(bytes.len(), size_bytes);
        assert!(builder.is_empty());
        if !pushed.is_empty() {
            assert!(bytes.len() <= max_bytes);
            assert_eq!(opened(&bytes), Some(pushed));
        }
    }
}

#[test]
fn checksums_that_are_added_later_are_those_of_finish() {
    let mut random = fastrand::Rng::with_seed(13);
    for count in 0..=6 {
        let mut finished = Vec::new();
        let mut unfinished = Vec::new();
        for _ in 0..count {
            let mut builder = AggregateBuilder::new(1 << 20);
            for _ in 0..random.usize(1..50) {
                let record = random_record(&mut random);
                assert_eq!(builder.try_push(&user_record(&record)), Push::Added);
            }
            finished.push(builder.clone().finish());
            unfinished.push(builder.finish_without_checksum());
        }
        assert!(unfinished.iter().all(|bytes| opened(bytes).is_none()));
        assert_eq!(
            are_intact(unfinished.iter().map(|bytes| &bytes[..])),
            count == 0
        );
        // Bytes that are shared are copied.
        let shared = unfinished.first().cloned();
        add_checksums(unfinished.iter_mut());
        assert_eq!(unfinished, finished);
        assert!(are_intact(finished.iter().map(|bytes| &bytes[..])));
        assert!(shared.is_none_or(|bytes| opened(&bytes).is_none()));
    }
}

#[test]
fn corrupted_bytes_never_panic_and_never_decode() {
    let mut random = fastrand::Rng::with_seed(12);
    for (_, _, bytes) in vectors() {
        for _ in 0..2_000 {
            let mut changed = bytes.to_vec();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..changed.len());
                changed[at] = random.u8(..);
            }
            if random.bool() {
                changed.truncate(random.usize(..=changed.len()));
            }
            if changed != bytes {
                assert_eq!(opened(&changed), None);
            }
            // With a corrected checksum anything may be inside; decoding must not panic.
            if looks_aggregated(&changed) {
                let message = &changed[MAGIC.len()..changed.len() - DIGEST_BYTES];
                opened(&sealed(message));
            }
        }
    }
}

#[test]
fn open_checked_ignores_the_checksum() {
    for (name, users, record) in vectors() {
        let mut corrupted = record.clone();
        *corrupted.last_mut().unwrap() ^= 1;
        assert!(matches!(open(&corrupted), Opened::Plain), "{name}");
        let Opened::Aggregate(again) = open_checked(&corrupted) else {
            panic!("{name} was not opened");
        };
        assert_eq!(again.len(), users.len(), "{name}");
    }
    assert!(matches!(open_checked(b"plain"), Opened::Plain));
}
