//! Payloads with a header that names their Avro schema.

use flate2::Compression;
use flate2::write::ZlibEncoder;

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
fn json_behind_a_header_is_declared() {
    let zlib = |document: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(document).unwrap();
        [&[3, 5][..], &[0xab; 16], &encoder.finish().unwrap()].concat()
    };
    for (records, header, described) in [
        (
            [confluent(12, b"{\"v\":1}"), confluent(13, b"{\"v\":2.5}")],
            "confluent",
            "JSON with the header of a Confluent registry, the first with schema id 12",
        ),
        (
            [glue(b"{\"v\":1}"), zlib(b"{\"v\":2.5}")],
            "glue",
            "JSON with the header of AWS Glue",
        ),
    ] {
        let expected = format!("'kinesis.format' 'json',\n  'kinesis.json.header' '{header}'\n");
        for requested in [RequestedFormat::Auto, RequestedFormat::Json] {
            let text = statement(&records, requested);
            for part in [&expected, described, "v DOUBLE", "2 documents, 0 bad"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
    let mut damaged = zlib(b"{\"v\":1}");
    damaged.truncate(22);
    let records = [
        confluent(12, b"{\"v\":1}"),
        confluent(12, b"{\"v\""),
        damaged,
        confluent(12, b"{}"),
        b"{\"v\":1}".to_vec(),
    ];
    let text = auto(&records);
    for part in [
        "2 documents, 3 bad",
        "record 2 is not valid JSON",
        "'kinesis.format.onError' 'null'",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = auto(&[zlib(b"{\"v\":1}"), glue(b"{}"), records[2].clone()]);
    assert!(text.contains("record 3 is not valid zlib data"), "{text}");
}

#[test]
fn documents_that_expand_end_the_sample() {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
    let bomb = [&[3, 5][..], &[0xab; 16], &encoder.finish().unwrap()].concat();
    let inferred = infer(
        std::iter::repeat_n(&bomb[..], 1_000),
        RequestedFormat::Auto,
        &Reading::default(),
        3 << 20,
    );
    assert_eq!(inferred.records, 3);
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
