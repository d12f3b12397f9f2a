mod avro;
mod delimited;
mod headers;

use std::io::Write;

use super::*;

const DECLARED: Declared<'_> = Declared {
    location: "clicks",
    stream: "clicks",
    region: None,
    given: &[],
};

/// The statement for `records`.
fn statement<T: AsRef<[u8]>>(records: &[T], requested: RequestedFormat) -> String {
    let records = records.iter().map(AsRef::as_ref);
    infer(records, requested, &Reading::default(), MAX_SAMPLE_BYTES).statement(DECLARED)
}

fn auto<T: AsRef<[u8]>>(records: &[T]) -> String {
    statement(records, RequestedFormat::Auto)
}

/// The columns for records, without comments.
fn columns(records: &[&str]) -> Vec<String> {
    let text = auto(records);
    let lines = text.lines().filter(|line| line.starts_with("  "));
    let lines = lines.filter(|line| !line.starts_with("  'kinesis"));
    let column = |line: &str| {
        let (column, _) = line.split_once("  -- ").unwrap_or((line, ""));
        column.trim().trim_end_matches(',').to_owned()
    };
    lines.map(column).collect()
}

#[test]
fn the_whole_statement() {
    let records = [
        r#"{"userId": 7, "url": "/a", "ts": "2026-11-30T08:00:00Z", "geo": {"country": "DE", "lat": 1.5}}"#,
        r#"{"userId": 8, "url": null, "tags": ["x"]}"#,
        "{\"userId\": ",
    ];
    let expected = r#"-- Stream 'clicks': 3 records, 2 documents, 1 bad.
-- The first bad one: record 3 is not valid JSON: EOF while parsing a value at line 1 column 11.
-- A bad document is a row of NULLs here; see option 'kinesis.format.onError'.
-- The types fit this sample; later documents may have others.
CREATE EXTERNAL TABLE clicks (
  userId BIGINT,  -- in 2 of 2, such as 7
  url VARCHAR,  -- in 2 of 2, 1 NULL, such as /a
  ts TIMESTAMP,  -- in 1 of 2, such as 2026-11-30T08:00:00Z
  geo STRUCT<country VARCHAR, lat DOUBLE>,  -- in 1 of 2, such as {"country": "DE", "lat": 1.5}
  tags VARCHAR[]  -- in 1 of 2, such as ["x"]
)
STORED AS "aws-kinesis" LOCATION 'clicks'
OPTIONS (
  'kinesis.format' 'json',
  'kinesis.format.onError' 'null'
);
"#;
    assert_eq!(auto(&records), expected);
}

#[test]
fn types_are_widened_over_documents() {
    for (values, expected) in [
        (&["1", "-2", "9223372036854775807"][..], "BIGINT"),
        (&["1", "9223372036854775808"], "DECIMAL(38, 0)"),
        (&["1", "2.5"], "DOUBLE"),
        (&["1e3", "2"], "DOUBLE"),
        (&["0.1", "123.456"], "DOUBLE"),
        (&["0.30000000000000004"], "DOUBLE"),
        (&["12345678901234567.89"], "DECIMAL(38, 2)"),
        (&["9007199254740993", "0.5"], "DECIMAL(38, 1)"),
        (&["9007199254740993", "1e3"], "DOUBLE"),
        (&["1e308", "1e-400"], "DOUBLE"),
        (&["1", "1e400"], "VARCHAR"),
        (&["-1e400"], "VARCHAR"),
        (&["[1e400]"], "VARCHAR[]"),
        (&["1", "null"], "BIGINT"),
        (&["true", "false"], "BOOLEAN"),
        (&["true", "1"], "VARCHAR"),
        (&["\"a\"", "1"], "VARCHAR"),
        (&["null"], "VARCHAR"),
        (
            &[
                "\"2026-11-30T08:00:00Z\"",
                "\"2026-11-30T08:00:00.5+01:00\"",
            ],
            "TIMESTAMP",
        ),
        (&["\"2026-11-30T08:00:00Z\"", "\"\""], "VARCHAR"),
        (&["\"2026-11-30\"", "null"], "DATE"),
        (&["\"2026-11-30\"", "\"2026-02-30\""], "VARCHAR"),
        (&["\"2026-11-30\"", "\"2026-11-30T08:00:00Z\""], "VARCHAR"),
        (&["\"2026-1-30\""], "VARCHAR"),
        (&["\"+026-01-30\""], "VARCHAR"),
        (&["\"9999-12-31T00:00:00Z\""], "VARCHAR"),
        (&["[1]", "[2.5]", "[]"], "DOUBLE[]"),
        (&["[]"], "VARCHAR[]"),
        (&["[[1]]", "[[]]"], "BIGINT[][]"),
        (&["[1]", "1"], "VARCHAR"),
        (
            &["{\"a\": 1}", "{\"b\": [true]}"],
            "STRUCT<a BIGINT, b BOOLEAN[]>",
        ),
        (&["[{\"a\": 1}, {\"a\": null}]"], "STRUCT<a BIGINT>[]"),
        (&["{}"], "VARCHAR"),
        (&["{\"a\": {}}"], "STRUCT<a VARCHAR>"),
        (&["{\"a\": {\"b\": 1}}"], "STRUCT<a STRUCT<b BIGINT>>"),
    ] {
        let records: Vec<String> = values
            .iter()
            .map(|value| format!("{{\"v\": {value}}}"))
            .collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        assert_eq!(columns(&records), [format!("v {expected}")], "{values:?}");
    }
    let digits = format!("{{\"v\": {}}}", "1".repeat(60));
    assert_eq!(columns(&[&digits]), ["v DECIMAL(76, 0)"]);
    let digits = format!("{{\"v\": {}}}", "1".repeat(90));
    assert_eq!(columns(&[&digits]), ["v DOUBLE"]);
    let digits = format!("{{\"v\": {}}}", "1".repeat(400));
    assert_eq!(columns(&[&digits]), ["v VARCHAR"]);
}

#[test]
fn names_are_quoted_where_sql_needs_it() {
    let record = r#"{"plain": 1, "camelCase": 1, "_x1": 1, "order": 1, "Group": 1, "a b": 1, "a.b": 1, "1a": 1,
                     "Größe": 1, "say \"x\"": 1, "id": 1, "ID": 1, "": 1, "bell\u0007": 1, "user": 1,
                     "s": {"order": 1, "X": 1, "x": 2}}"#;
    let one_line = record.replace('\n', " ");
    assert_eq!(
        columns(&[&one_line]),
        [
            "plain BIGINT",
            "camelCase BIGINT",
            "_x1 BIGINT",
            "\"order\" BIGINT",
            "\"group\" BIGINT",
            "\"a b\" BIGINT",
            "\"a.b\" BIGINT",
            "\"1a\" BIGINT",
            "\"Größe\" BIGINT",
            "\"say \"\"x\"\"\" BIGINT",
            "\"id\" BIGINT",
            "\"ID\" BIGINT",
            "\"user\" BIGINT",
            "s STRUCT<\"order\" BIGINT, \"X\" BIGINT, \"x\" BIGINT>",
        ]
    );
    assert!(auto(&[record]).contains("Some fields are left out"));
}

#[test]
fn an_object_of_many_fields_is_text() {
    let field = |index: usize| format!("\"k{index}\": 1");
    let fields: Vec<String> = (0..1_000).map(field).collect();
    let object = format!("{{\"map\": {{{}}}}}", fields.join(", "));
    assert_eq!(columns(&[&object]), ["map VARCHAR"]);
    let deep = format!("{{\"v\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    let [column] = columns(&[&deep]).try_into().unwrap();
    assert!(column.starts_with("v VARCHAR[][]"), "{column}");
    assert!(column.len() < 50, "{column}");
}

#[test]
fn framings_are_recognized() {
    for (records, framing) in [
        (&["{\"v\":1}", "{\"v\":2}\n"][..], None),
        (&["{\"v\":1}\n{\"v\":2}\n", "{\"v\":3}"], Some("newline")),
        (&["{\"v\":1}\r\n\r\n{\"v\":2}"], Some("newline")),
        (&["{\"v\":1}{\"v\":2}", "{\"v\":3}"], Some("concatenated")),
        (
            &["{\"v\":1}\n{\"v\":2}", "{\n\"v\":3\n}"],
            Some("concatenated"),
        ),
        (&["[{\"v\":1},{\"v\":2}]"], Some("array")),
        (&["{\"v\":1}\n{\"v\":\n{\"v\":2}\n"], Some("newline")),
        (&["\u{feff}{\"v\":1}"], None),
        (&["{\n  \"v\": 1\n}"], None),
    ] {
        assert_eq!(columns(records), ["v BIGINT"], "{records:?}");
        let text = auto(records);
        match framing {
            Some(framing) => {
                let option = format!("'kinesis.format.framing' '{framing}'");
                assert!(text.contains(&option), "{text}");
            }
            None => assert!(!text.contains("framing"), "{text}"),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compression_is_recognized() {
    let json = b"{\"v\": 1}";
    for record in [gzip(json), zstd::encode_all(&json[..], 1).unwrap()] {
        let text = auto(&[&record[..], json]);
        assert!(
            text.contains("'kinesis.format.compression' 'auto'"),
            "{text}"
        );
        assert!(text.contains("2 documents, 0 bad"), "{text}");
    }
    let text = auto(&[&gzip(json)[..15], json]);
    assert!(text.contains("record 1 is not valid gzip data"), "{text}");
}

#[test]
fn presets_have_no_column_list() {
    let logs = br#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s",
        "subscriptionFilters":[],"logEvents":[{"id":"1","timestamp":1,"message":"m"}]}"#;
    let text = auto(&[gzip(logs), gzip(logs)]);
    assert!(
        text.contains("CREATE EXTERNAL TABLE clicks\nSTORED"),
        "{text}"
    );
    assert!(
        text.contains("'kinesis.format' 'cloudwatch_logs'"),
        "{text}"
    );
    let change = r#"{"awsRegion":"us-east-1","eventID":"1","eventName":"INSERT","tableName":"t",
        "dynamodb":{"Keys":{"id":{"S":"1"}}},"eventSource":"aws:dynamodb"}"#;
    let text = auto(&[change, "{\"other\": 1}", change]);
    assert!(text.contains("'kinesis.format' 'dynamodb'"), "{text}");
    assert!(text.contains("record 2 is JSON"), "{text}");
}

#[test]
fn anything_else_is_binary() {
    for record in [&b"\x08\x96\x01"[..], b"\xff\xfe", b"\x0a\x03abc", b"a\x00b"] {
        let text = auto(&[record]);
        assert!(
            text.contains("Protobuf, which cannot be recognized"),
            "{text}"
        );
        assert!(text.ends_with("LOCATION 'clicks';\n"), "{text}");
    }
    for none in [&[][..], &[&b""[..], b" \n"]] {
        let text = auto(none);
        assert!(text.contains("nothing to infer"), "{text}");
    }
}

#[test]
fn a_requested_format_is_kept() {
    let records = ["1,2", "{\"v\": 1}"];
    let text = statement(&records, RequestedFormat::Json);
    assert!(
        text.contains("v BIGINT") && text.contains("1 bad"),
        "{text}"
    );
    let text = statement(&records, RequestedFormat::Csv);
    assert!(
        text.contains("c2 BIGINT") && text.contains("record 2 has 1 value: expected 2"),
        "{text}"
    );
    let text = statement(&records, RequestedFormat::Text);
    assert!(text.contains("message VARCHAR"), "{text}");
    let text = statement(&records, RequestedFormat::DynamoDb);
    assert!(text.contains("record 1 is text"), "{text}");
}

#[test]
fn comments_stay_on_their_line() {
    let text = auto(&["{\"v\": \"a\\nDROP TABLE t;\\u2028--\\u202e\"}"]);
    let line = text.lines().find(|line| line.contains("DROP")).unwrap();
    assert!(line.trim().starts_with("v VARCHAR  -- "), "{text}");
    assert!(!text.contains(['\u{2028}', '\u{202e}']), "{text}");
}

#[test]
fn tables_are_named_like_their_streams() {
    for (stream, table) in [
        ("my-Clicks.v2", "my_clicks_v2"),
        ("2026", "t2026"),
        ("order", "\"order\""),
    ] {
        let declared = Declared {
            location: "arn:aws:kinesis:eu-west-1:1:stream/x",
            stream,
            region: Some("eu-west-1"),
            given: &[],
        };
        let text = infer(
            [&b"{\"v\":1}"[..]].into_iter(),
            RequestedFormat::Auto,
            &Reading::default(),
            MAX_SAMPLE_BYTES,
        )
        .statement(declared);
        assert!(text.contains(&format!("TABLE {table} (")), "{text}");
        assert!(text.contains("'kinesis.region' 'eu-west-1'"), "{text}");
    }
}

#[test]
fn records_that_expand_end_the_sample() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    Write::write_all(&mut encoder, &vec![b' '; 1 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let records = std::iter::repeat_n(&bomb[..], 1_000);
    let inferred = infer(records, RequestedFormat::Auto, &Reading::default(), 3 << 20);
    assert_eq!(inferred.records, 3);
}
