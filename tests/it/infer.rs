//! `kinesis-sql infer`: the printed statement runs as it is.

mod options;
mod sample;

use std::process::Output;

use crate::process::{Server, client};

/// Creates the stream `name` with two shards, and writes `records` as `(key, data)` expressions.
fn filled(server: &Server, name: &str, records: &[String]) {
    let values: Vec<String> = records
        .iter()
        .enumerate()
        .map(|(index, data)| format!("('{index}', {data})"))
        .collect();
    server.csv(&format!(
        "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION '{name}'
           OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2');
         INSERT INTO t (partitionKey, data) VALUES {}",
        values.join(", ")
    ));
}

fn infer(server: &Server, arguments: &[&str]) -> Output {
    let mut command = client_of(server, arguments);
    command.output().unwrap()
}

fn client_of(server: &Server, arguments: &[&str]) -> std::process::Command {
    let mut command = crate::process::command();
    let with_keys = client(&server.url);
    for (name, value) in with_keys.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.arg("infer").args(arguments).args([
        "--endpoint-url",
        &server.url,
        "--region",
        "us-east-1",
    ]);
    command
}

/// The statement that is printed for the stream.
fn statement(server: &Server, arguments: &[&str]) -> String {
    let output = infer(server, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn errors_of(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(data: &str) -> String {
    format!("'{}'", data.replace('\'', "''"))
}

#[test]
fn the_statement_of_json_runs_as_printed() {
    let server = Server::start();
    let records = [
        r#"{"userId": 7, "Order": "a", "ts": "2026-11-30T08:00:00Z", "geo": {"country": "DE", "lat": 1.5, "Group": 2}}"#,
        r#"{"userId": 9, "big": 123456789012345678901234567890, "tags": ["x", "it's"], "items": [{"id": 1}, {"id": null}]}"#,
        r#"{"id": 1, "ID": 2, "a b": true, "nested": [[1], []], "none": null, "amount": 12345678901234567.25}"#,
        "{broken",
    ];
    filled(&server, "my-clicks", &records.map(text));
    let create = statement(&server, &["my-clicks"]);
    assert!(create.contains("4 records, 3 documents, 1 bad"), "{create}");
    assert!(create.contains("'kinesis.region' 'us-east-1'"), "{create}");
    let rows = server.csv(&format!(
        "{create} SELECT userId, \"order\", ts, geo.country, geo.\"group\", tags[2], items[1]['id'], \"id\", \"ID\", \"a b\",
           big, nested[1][1], amount
         FROM my_clicks WHERE userId IS NOT NULL OR \"a b\" ORDER BY userId"
    ));
    let mut lines = rows.lines().skip(1);
    assert_eq!(lines.next(), Some("7,a,2026-11-30T08:00:00,DE,2,,,,,,,,"));
    assert_eq!(
        lines.next(),
        Some("9,,,,,it's,1,,,,123456789012345678901234567890,,")
    );
    assert_eq!(
        lines.next(),
        Some(",,,,,,,1,2,true,,1,12345678901234567.25")
    );
    let all = server.csv(&format!("{create} SELECT count(*) FROM my_clicks"));
    assert_eq!(all.lines().last(), Some("4"));
    server.csv(&format!("{create} SELECT * FROM my_clicks"));
}

#[test]
fn framings_compression_and_text_run_as_printed() {
    let server = Server::start();
    // printf '{"v":1}\n{"v":2}\n' | gzip -n
    let gzip =
        "decode('1f8b0800000000000003ab562a53b232ace5aa06d146b55c00e964f60410000000', 'hex')";
    for (stream, records, expected) in [
        (
            "lines",
            vec![text("{\"v\":1}\n{\"v\":2}"), text("{\"v\":3}")],
            "v\n1\n2\n3\n",
        ),
        ("glued", vec![text("{\"v\":1}{\"v\":2}")], "v\n1\n2\n"),
        ("array", vec![text("[{\"v\":1},{\"v\":2}]")], "v\n1\n2\n"),
        (
            "gzip",
            vec![gzip.to_owned(), text("{\"v\":3}")],
            "v\n1\n2\n3\n",
        ),
        (
            "text",
            vec![text("hello"), text("world")],
            "message\nhello\nworld\n",
        ),
        ("binary", vec!["decode('00ff', 'hex')".to_owned()], "0x00ff"),
    ] {
        filled(&server, stream, &records);
        let create = statement(&server, &[stream]);
        let (_, rest) = create.split_once("TABLE ").unwrap();
        let name = rest.split_whitespace().next().unwrap();
        let rows = server.csv(&format!("{create} SELECT * FROM {name} ORDER BY 1"));
        match stream {
            // With all standard columns.
            "binary" => assert!(rows.contains(expected), "{rows}"),
            _ => assert_eq!(rows, expected, "{create}"),
        }
    }
}

#[test]
fn the_sample_is_spread_over_the_shards_and_limited() {
    let server = Server::start();
    let records: Vec<String> = (0..200).map(|v| text(&format!("{{\"v\":{v}}}"))).collect();
    filled(&server, "many", &records);
    let all = statement(&server, &["many"]);
    assert!(all.contains("200 records, 200 documents, 0 bad"), "{all}");
    let some = statement(&server, &["many", "--records", "10"]);
    assert!(some.contains("10 records, 10 documents"), "{some}");
    let forced = statement(&server, &["many", "--format", "text", "--records", "3"]);
    assert!(forced.contains("message VARCHAR"), "{forced}");
}

#[test]
fn a_stream_that_does_not_exist_is_named() {
    let server = Server::start();
    let output = infer(&server, &["absent"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("'absent'"), "{errors}");
    let output = infer(&server, &["absent", "--records", "0"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("expected a number from 1"), "{errors}");
}

#[test]
fn the_statements_of_presets_run_as_printed() {
    let server = Server::start();
    let event = r#"{"id":"1","timestamp":1764489600000,"message":"hello"}"#;
    let logs = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","subscriptionFilters":[],"logEvents":[{event},{event}]}}"#
    );
    let change = r#"{"awsRegion":"us-east-1","eventID":"1","eventName":"INSERT","tableName":"t","dynamodb":{"Keys":{"id":{"N":"7"}}},"eventSource":"aws:dynamodb"}"#;
    filled(&server, "logs", &[text(&logs), text("{broken")]);
    let create = statement(&server, &["logs"]);
    let rows = server.csv(&format!("{create} SELECT loggroup, message FROM logs"));
    let expected = ["g,hello", "g,hello"];
    assert!(
        rows.lines().filter(|line| expected.contains(line)).count() == 2,
        "{rows}"
    );

    filled(&server, "changes", &[text(change)]);
    for arguments in [&["changes"][..], &["changes", "--format", "dynamodb"]] {
        let create = statement(&server, arguments);
        let rows = server.csv(&format!(
            "{create} SELECT tablename, keys->>'id' FROM changes"
        ));
        assert_eq!(rows.lines().last(), Some("t,7"), "{create}");
    }
}

#[test]
fn the_statement_of_json_behind_a_header_runs_as_printed() {
    let server = Server::start();
    let headers = [
        ("confluent", "000000000C"),
        ("glue", "03000102030405060708090A0B0C0D0E0F10"),
    ];
    for (stream, header) in headers {
        // {"v":1}
        filled(&server, stream, &[format!("X'{header}7B2276223A317D'")]);
        let create = statement(&server, &[stream]);
        let rows = server.csv(&format!("{create} SELECT v + 1 FROM {stream}"));
        assert_eq!(rows.lines().last(), Some("2"), "{create}");
    }
}

#[test]
fn ragged_lines_are_rows_of_nulls() {
    let server = Server::start();
    filled(&server, "ragged", &["1,x", "2,y,z", "3,w"].map(text));
    let create = statement(&server, &["ragged", "--format", "csv"]);
    assert!(create.contains("2 documents, 1 bad"), "{create}");
    let rows = server.csv(&format!("{create} SELECT c1, c2 FROM ragged ORDER BY c1"));
    assert_eq!(rows, "c1,c2\n1,x\n3,w\n,\n");
}

#[test]
fn statements_fill_the_embedded_kinesis() {
    let file = crate::support::folder("infer-embedded").with_extension("sql");
    let statements = "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'clicks'
          OPTIONS ('kinesis.createStream' 'true');
        INSERT INTO t (partitionKey, data) VALUES ('a', '{\"v\": 1}');";
    std::fs::write(&file, statements).unwrap();
    let embedded = |arguments: &[&str]| {
        let mut command = crate::process::command();
        command
            .args(["infer", "clicks"])
            .args(arguments)
            .output()
            .unwrap()
    };
    let path = file.to_str().unwrap();
    let output = embedded(&["--embedded", "-f", path]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.starts_with("-- Stream 'clicks': 1 record, 1 document"),
        "{printed}"
    );
    assert!(
        printed.contains("v BIGINT") && !printed.contains("region"),
        "{printed}"
    );

    for arguments in [&["--embedded"][..], &["-f", path]] {
        assert_eq!(embedded(arguments).status.code(), Some(2), "{arguments:?}");
    }
    std::fs::write(
        &file,
        format!("{statements}\nINSERT INTO t (data) VALUES ("),
    )
    .unwrap();
    let output = embedded(&["--embedded", "-f", path]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains(&format!("{path}:4: ")), "{errors}");
    assert_eq!(output.status.code(), Some(1));
    std::fs::remove_file(&file).unwrap();
}
