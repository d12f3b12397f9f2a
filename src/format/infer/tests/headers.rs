//! Payloads with a header that names their Avro schema.

use super::*;

fn single_object(body: &[u8]) -> Vec<u8> {
    [&[0xc3, 0x01][..], &[1, 2, 3, 4, 5, 6, 7, 8], body].concat()
}

fn confluent(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), body].concat()
}

fn glue(body: &[u8]) -> Vec<u8> {
    [&[3, 0][..], &[0xab; 16], body].concat()
}

fn assert_binary(text: &str) {
    assert!(
        text.contains("binary in no known format") && !text.contains("avro"),
        "{text}"
    );
}

#[test]
fn comments_say_what_to_set_and_what_is_missing() {
    for (records, expected) in [
        (
            [single_object(b"data"), single_object(b"more")],
            &[
                "the first with the schema fingerprint 0807060504030201",
                "'kinesis.avro.framing' 'single_object'",
                "'kinesis.avro.schema'",
            ][..],
        ),
        (
            [confluent(42, b"data"), confluent(42, b"more")],
            &[
                "the first with schema id 42",
                "'kinesis.avro.framing' 'confluent'",
                "'kinesis.avro.schema'",
                "'kinesis.schemaRegistry.type' 'confluent'",
                "'kinesis.schemaRegistry.url'",
                "Protobuf",
            ],
        ),
        (
            [glue(b"data"), glue(b"more")],
            &[
                "the first with schema version abababab-abab-abab-abab-abababababab",
                "'kinesis.avro.framing' 'glue'",
                "'kinesis.avro.schema'",
                "'kinesis.schemaRegistry.type' 'glue'",
            ],
        ),
    ] {
        let text = auto(&records);
        for part in expected.iter().chain(&["'kinesis.format' 'avro'"]) {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("2 records, 2 documents, 0 bad"), "{text}");
        // What is printed runs as it is, and reads bytes.
        let statement: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("--"))
            .collect();
        let raw = [
            "CREATE EXTERNAL TABLE clicks",
            "STORED AS \"aws-kinesis\" LOCATION 'clicks';",
        ];
        assert_eq!(statement, raw);
    }
    let text = auto(&[gzip(&confluent(42, b"data"))]);
    assert!(
        text.contains("'kinesis.format.compression' 'auto'"),
        "{text}"
    );
}

#[test]
fn json_behind_a_header_is_named() {
    let text = auto(&[confluent(12, b"{\"v\":1}"), confluent(12, b"{\"v\":2}")]);
    assert!(
        text.contains("JSON with the header of a Confluent registry") && !text.contains("'avro'"),
        "{text}"
    );
}

#[test]
fn most_records_need_the_header() {
    let text = auto(&[
        confluent(42, b"data"),
        confluent(42, b"more"),
        b"\xff\x00".to_vec(),
    ]);
    for part in ["confluent", "2 documents, 1 bad", "record 3 is binary"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let records: [&[u8]; 4] = [
        &confluent(42, b"data"),
        &single_object(b"data"),
        &glue(b"data"),
        b"\xff",
    ];
    assert_binary(&auto(&records));
    let half: [&[u8]; 2] = [&confluent(42, b"data"), b"\xff\x00"];
    assert_binary(&auto(&half));
}

#[test]
fn binary_that_starts_with_a_zero_is_no_header() {
    // A length before each message, as in gRPC.
    let lengths: Vec<Vec<u8>> = (4..9)
        .map(|length| confluent(length, &vec![0xff; length as usize]))
        .collect();
    assert_binary(&auto(&lengths));
    // Big-endian counters.
    let counters: Vec<Vec<u8>> = (1_u64..100)
        .map(|counter| (counter << 24 | 0xff).to_be_bytes().to_vec())
        .collect();
    assert_binary(&auto(&counters));
    let zeros: Vec<Vec<u8>> = (0..5).map(|_| vec![0; 16]).collect();
    assert_binary(&auto(&zeros));
}
