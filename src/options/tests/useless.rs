//! Options that a table has no use for.

use super::*;

#[test]
fn options_for_writing_are_refused_for_a_table_that_can_only_be_read() {
    const JSON: (&str, &str) = ("kinesis.format", "json");
    const AVRO: (&str, &str) = ("kinesis.format", "avro");
    let key = ("kinesis.sink.partitionKey", "id");
    let url = ("kinesis.schemaRegistry.url", "https://registry:8081");
    let protobuf = [
        ("kinesis.format", "protobuf"),
        ("kinesis.protobuf.descriptorFile", "/x"),
        ("kinesis.protobuf.message", "x.X"),
        ("kinesis.protobuf.framing", "confluent"),
        key,
    ];
    let tables: [(&[(&str, &str)], &str); 8] = [
        (
            &[JSON, ("kinesis.json.header", "glue"), key],
            "'kinesis.json.header'",
        ),
        (
            &[JSON, ("kinesis.json.explode", "$.a"), key],
            "'kinesis.json.explode'",
        ),
        (
            &[
                JSON,
                ("kinesis.format.framing", "array"),
                ("kinesis.sink.nullFields", "keep"),
            ],
            "'kinesis.format.framing' = 'array'",
        ),
        (
            &[JSON, ("kinesis.format.compression", "auto"), key],
            "'kinesis.format.compression' = 'auto'",
        ),
        (
            &[AVRO, url, ("kinesis.sink.explicitHashKey", "id")],
            "a schema registry",
        ),
        (
            &[AVRO, ("kinesis.schemaRegistry.type", "glue"), key],
            "a schema registry",
        ),
        (
            &[
                AVRO,
                ("kinesis.avro.schema", "\"int\""),
                ("kinesis.avro.framing", "glue"),
                key,
            ],
            "'kinesis.avro.framing' = 'glue'",
        ),
        (&protobuf, "'kinesis.protobuf.framing' = 'confluent'"),
    ];
    for (pairs, cause) in tables {
        let error = rejection(pairs);
        let expected = format!("but a table with {cause} can only be read: remove the option");
        assert!(error.contains(&expected), "{error}");
    }
    options(&[JSON, key, ("kinesis.format.framing", "newline")]).unwrap();
}

#[test]
fn a_limit_for_decompression_needs_compression() {
    let json = ("kinesis.format", "json");
    let limit = ("kinesis.format.maxDecompressedBytes", "1000");
    let error = rejection(&[json, limit]);
    assert!(
        error.contains("set 'kinesis.format.compression' to 'gzip'"),
        "{error}"
    );
    for compressed in [
        ("kinesis.format.compression", "gzip"),
        ("kinesis.format.compression", "auto"),
        ("kinesis.json.header", "glue"),
    ] {
        options(&[json, limit, compressed]).unwrap();
    }
    options(&[("kinesis.format", "cloudwatch_logs"), limit]).unwrap();
}
