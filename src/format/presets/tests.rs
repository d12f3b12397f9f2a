use std::io::Write;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::error::ErrorKind;
use crate::format::testing::TestTable;

const CLOUDWATCH_LOGS: &str = include_str!("../../../tests/data/presets/cloudwatch_logs.json");
const DYNAMODB: &str = include_str!("../../../tests/data/presets/dynamodb.json");

fn captured(file: &str) -> Vec<Vec<u8>> {
    let file: Value = serde_json::from_str(file).unwrap();
    let records = file["records"].as_array().unwrap().iter();
    let decode = |text: &Value| {
        base64_simd::STANDARD
            .decode_to_vec(text.as_str().unwrap())
            .unwrap()
    };
    records.map(decode).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn logs(options: &[(&str, &str)]) -> TestTable {
    TestTable::new("", &[&[("format", "cloudwatch_logs")], options].concat())
}

fn changes(options: &[(&str, &str)]) -> TestTable {
    TestTable::new("", &[&[("format", "dynamodb")], options].concat())
}

/// The values of the columns `names` of the only row of `record`.
fn values(table: &TestTable, names: &[&str], record: &str) -> String {
    let columns = table.columns();
    let index = |name: &&str| {
        columns
            .iter()
            .position(|column| column.0 == **name)
            .unwrap()
    };
    let projection: Vec<usize> = names.iter().map(index).collect();
    let rows = table.decode_columns(&projection, &[record]).unwrap().rows;
    assert_eq!(rows.len(), 1);
    rows[0].clone()
}

#[test]
fn captured_log_events_are_rows() {
    let rows = logs(&[]).rows(&captured(CLOUDWATCH_LOGS));
    assert_eq!(rows.len(), 6);
    let first = "231436140809 | /aws/lambda/pt-1488-DummyLogDataFunction-gnWXPvL6jJyG | \
        2022/11/10/[$LATEST]26b6a45d574f442ea28438923cbf7bf7 | DATA_MESSAGE | \
        [pt-1488-CloudWatchLogsToKinesisSubscriptionFilter-5gkxsK0HpHDI] | NULL | \
        37199717562907174288355125807040114704837640994633613312 | 2022-11-10T15:10:27.015 | \
        START RequestId: 06e46194-f277-454e-88d3-1dd7e3860eaa Version: $LATEST\n | NULL";
    assert_eq!(rows[0], first);
    let expected = gzip_free_messages();
    for (row, message) in rows.iter().zip(&expected) {
        assert!(row.contains(message), "{row}");
    }
}

/// The messages of the captured events, decoded by serde_json.
fn gzip_free_messages() -> Vec<String> {
    let mut messages = Vec::new();
    for record in captured(CLOUDWATCH_LOGS) {
        let document: Value =
            serde_json::from_reader(flate2::read::GzDecoder::new(&record[..])).unwrap();
        for event in document["logEvents"].as_array().unwrap() {
            messages.push(event["message"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(messages.len(), 6);
    messages
}

#[test]
fn log_events_have_these_columns() {
    let text = DataType::Utf8View;
    let list = DataType::List(Field::new_list_field(DataType::Utf8View, true).into());
    let expected = [
        ("owner", text.clone()),
        ("loggroup", text.clone()),
        ("logstream", text.clone()),
        ("messagetype", text.clone()),
        ("subscriptionfilters", list),
        ("policylevel", text.clone()),
        ("id", text.clone()),
        ("timestamp", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        ("message", text.clone()),
        ("extractedfields", text),
    ];
    let expected = expected.map(|(name, data_type)| (name.to_owned(), data_type));
    assert_eq!(logs(&[]).columns(), expected);
}

fn log_message(id: &str) -> String {
    format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":["f"],
        "logEvents":[{{"id":"{id}","timestamp":1500000000000,"message":"m","extractedFields":{{"status":"200"}}}}]}}"#
    )
}

const CONTROL: &str = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"",
    "subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1510254469274,
    "message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}"#;

#[test]
fn a_record_can_hold_several_log_messages_plain_or_compressed() {
    let (a, b) = (log_message("a"), log_message("b"));
    let members = [gzip(a.as_bytes()), gzip(b.as_bytes())].concat();
    let records = [
        a.clone().into_bytes(),
        format!("{a}{b}").into_bytes(),
        gzip(format!("{a}\n{b}").as_bytes()),
        members,
    ];
    let rows = logs(&[]).decode(&records).unwrap();
    assert_eq!(rows.records, [0, 1, 1, 2, 2, 3, 3]);
    let row = |id: &str| {
        format!(
            "1 | g | s | DATA_MESSAGE | [f] | NULL | {id} | 2017-07-14T02:40:00 | m | {{\"status\":\"200\"}}"
        )
    };
    assert_eq!(rows.rows, ["a", "a", "b", "a", "b", "a", "b"].map(row));
}

#[test]
fn control_messages_have_no_rows() {
    let decoded = logs(&[]).decode(&[
        CONTROL.to_owned(),
        log_message("a"),
        format!("{CONTROL}{CONTROL}"),
    ]);
    let decoded = decoded.unwrap();
    assert_eq!((decoded.records, decoded.bad_documents), (vec![1], 0));
}

#[test]
fn other_payloads_are_no_log_messages() {
    let table = logs(&[("format.onError", "null"), ("format.errorColumn", "why")]);
    for (payload, reason) in [
        (
            r#"{"a":1}"#,
            "is no message of CloudWatch Logs: field 'logEvents' is missing",
        ),
        (r#"{"logEvents":7}"#, "field 'logEvents' is no array"),
        (
            r#"{"logEvents":[{},7]}"#,
            "field 'logEvents' has an element that is no object",
        ),
        ("[]", "expected a JSON object"),
        ("text", "is not valid JSON"),
    ] {
        let decoded = table.decode(&[payload]).unwrap();
        assert_eq!(
            (decoded.rows.len(), decoded.bad_documents),
            (1, 1),
            "{payload}"
        );
        assert!(
            decoded.rows[0].contains(reason),
            "{payload}: {}",
            decoded.rows[0]
        );
    }
}

#[test]
fn a_log_message_that_would_repeat_a_gibibyte_is_bad() {
    let owner = "o".repeat(1 << 20);
    let events = vec!["{}"; 1_100].join(",");
    let message = format!(r#"{{"owner":"{owner}","logEvents":[{events}]}}"#);
    let table = logs(&[("format.onError", "skip")]);
    // Whether the columns that repeat are read or not.
    for projection in [&[][..], &[6]] {
        let decoded = table.decode_columns(projection, &[message.as_str(), &log_message("a")]);
        assert_eq!(decoded.unwrap().records, [1]);
    }
}

#[test]
fn captured_item_changes_are_rows() {
    let rows = changes(&[]).rows(&captured(DYNAMODB));
    let row = |event: &str, id: &str, data: &str| {
        format!(
            "{event} | INSERT | PowertoolsEventsStack-DynamoDBTable59784FC0-8NKAMTERTAXY | eu-west-1 | \
             2024-11-18T10:09:15.370 | {{\"id\":\"{id}\"}} | {{\"id\":\"{id}\",\"data\":\"{data}\"}} | NULL | 60 | \
             NULL | application/json | aws:dynamodb"
        )
    };
    let expected = [
        row(
            "d9428029-0f63-4056-86da-ce10d545b1b9",
            "record-1qit2y819gi",
            "data-x6aq7ckdpgk",
        ),
        row(
            "aa56cad4-311a-46c8-ab5f-c7a13a7a6298",
            "record-fvxn3q4q5jw",
            "data-4eompjs89n5",
        ),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn item_changes_have_these_columns() {
    let names: Vec<String> = changes(&[])
        .columns()
        .into_iter()
        .map(|column| column.0)
        .collect();
    let expected = [
        "eventid",
        "eventname",
        "tablename",
        "awsregion",
        "approximatecreationdatetime",
        "keys",
        "newimage",
        "oldimage",
        "sizebytes",
        "useridentity",
        "recordformat",
        "eventsource",
    ];
    assert_eq!(names, expected);
}

/// An image with each type of an attribute.
const ITEM: &str = r#"{"s":{"S":"a \"b\" \u00e9 \ud83d\ude00"},"n":{"N":"123456789012345678901234567890.12345678"},
    "small":{"N":"-1E-130"},"b":{"B":"AAEC"},"yes":{"BOOL":true},"no":{"BOOL":false},"nothing":{"NULL":true},
    "ss":{"SS":["x","y"]},"ns":{"NS":["1","2.50"]},"bs":{"BS":["AA==","AQ=="]},
    "l":{"L":[{"N":"1"},{"L":[]},{"M":{"deep":{"L":[{"S":"["},{"NULL":true}]}}}]},"m":{"M":{}}}"#;

const PLAIN: &str = r#"{"s":"a \"b\" \u00e9 \ud83d\ude00","n":123456789012345678901234567890.12345678,"small":-1E-130,"b":"AAEC","yes":true,"no":false,"nothing":null,"ss":["x","y"],"ns":[1,2.50],"bs":["AA==","AQ=="],"l":[1,[],{"deep":["[",null]}],"m":{}}"#;

#[test]
fn attribute_values_become_plain_json() {
    let change = format!(r#"{{"dynamodb":{{"Keys":{{}},"NewImage":{ITEM},"OldImage":null}}}}"#);
    let row = values(&changes(&[]), &["keys", "newimage", "oldimage"], &change);
    assert_eq!(row, format!("{{}} | {PLAIN} | NULL"));
}

#[test]
fn an_item_without_types_does_not_fit() {
    let table = changes(&[("format.errorColumn", "why")]);
    for (item, reason) in [
        (r#"{"id":"7"}"#, "expected a value with its type"),
        (r#"{"id":{}}"#, "unknown type of a value"),
        (r#"{"id":{"X":"7"}}"#, "unknown type of a value"),
        (r#"{"id":{"N":"7","S":"7"}}"#, "a value with two types"),
        (r#"{"id":{"N":7}}"#, "expected a number in a string"),
        (r#"{"id":{"N":"seven"}}"#, "expected a number in a string"),
        (r#"{"id":{"N":"{}"}}"#, "expected a number in a string"),
        (r#"{"id":{"S":7}}"#, "expected a string"),
        (
            r#"{"id":{"L":{"N":"1"}}}"#,
            "expected an array of values with their types",
        ),
        ("[]", "expected attributes with their types"),
    ] {
        let change = format!(r#"{{"eventID":"e","dynamodb":{{"NewImage":{item}}}}}"#);
        let row = values(&table, &["eventid", "newimage", "why"], &change);
        let expected = "e | NULL | field 'dynamodb.NewImage': is no item with typed attributes: ";
        assert!(
            row.starts_with(expected) && row.contains(reason),
            "{item}: {row}"
        );
    }
    let table = changes(&[("format.onTypeMismatch", "fail")]);
    let failure = table.failure(r#"{"dynamodb":{"Keys":{"id":7}}}"#);
    assert!(
        failure.contains("field 'dynamodb.Keys': is no item with typed attributes"),
        "{failure}"
    );
    assert!(failure.contains("(byte 20)"), "{failure}");
}

#[test]
fn a_deeply_nested_item_does_not_fit() {
    let depth = 10_000;
    let item = format!(
        r#"{{"a":{}{}}}"#,
        r#"{"L":["#.repeat(depth),
        "]}".repeat(depth)
    );
    let change = format!(r#"{{"eventID":"e","dynamodb":{{"NewImage":{item}}}}}"#);
    assert_eq!(
        values(&changes(&[]), &["eventid", "newimage"], &change),
        "e | NULL"
    );
    // DynamoDB allows 32 levels.
    let item = format!(r#"{{"a":{}{}}}"#, r#"{"L":["#.repeat(32), "]}".repeat(32));
    let change = format!(r#"{{"dynamodb":{{"NewImage":{item}}}}}"#);
    let expected = format!(r#"{{"a":{}{}}}"#, "[".repeat(32), "]".repeat(32));
    assert_eq!(values(&changes(&[]), &["newimage"], &change), expected);
}

#[test]
fn creation_times_are_read_in_their_unit() {
    for (number, precision, expected) in [
        ("1731924555370", "", "2024-11-18T10:09:15.370"),
        ("1731924555370", "MILLISECOND", "2024-11-18T10:09:15.370"),
        (
            "1720742302233719",
            "MICROSECOND",
            "2024-07-11T23:58:22.233719",
        ),
        ("1720742302233719", "", "2024-07-11T23:58:22.233719"),
        ("1693997155", "", "2023-09-06T10:45:55"),
        ("1693997155.0", "", "2023-09-06T10:45:55"),
        ("1693997155.25", "MILLISECOND", "2023-09-06T10:45:55.250"),
        ("1.693997155E9", "", "2023-09-06T10:45:55"),
        ("\"now\"", "", "NULL"),
        ("1e40", "", "NULL"),
        ("null", "", "NULL"),
    ] {
        let precision = match precision {
            "" => String::new(),
            unit => format!(r#","ApproximateCreationDateTimePrecision":"{unit}""#),
        };
        let change =
            format!(r#"{{"dynamodb":{{"ApproximateCreationDateTime":{number}{precision}}}}}"#);
        let row = values(&changes(&[]), &["approximatecreationdatetime"], &change);
        assert_eq!(row, expected, "{change}");
    }
}

#[test]
fn other_documents_are_no_item_changes() {
    let table = changes(&[("format.onError", "skip")]);
    let payloads = [
        "{}",
        r#"{"dynamodb":[]}"#,
        "7",
        "",
        r#"{"dynamodb":{}} {"dynamodb":{}}"#,
        r#"{"dynamodb":{}}"#,
    ];
    for projection in [&[][..], &[0, 5]] {
        let decoded = table.decode_columns(projection, &payloads).unwrap();
        assert_eq!((decoded.records, decoded.skipped_documents), (vec![5], 5));
    }
}

#[test]
fn options_of_other_formats_are_refused() {
    for format in ["cloudwatch_logs", "dynamodb"] {
        for (name, value) in [
            ("format.framing", "newline"),
            ("json.explode", "$.logEvents"),
            ("json.rescuedColumn", "rest"),
            ("json.timestampFormat", "epoch_s"),
        ] {
            let table = TestTable::try_new("", &[("format", format), (name, value)]);
            let error = table.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        let error = TestTable::try_new("id VARCHAR", &[("format", format)]).unwrap_err();
        assert!(
            error.to_string().contains("expected no column list"),
            "{error}"
        );
        let options = [("format", format), ("format.errorColumn", "eventid")];
        assert_eq!(
            TestTable::try_new("", &options).is_err(),
            format == "dynamodb"
        );
    }
}
