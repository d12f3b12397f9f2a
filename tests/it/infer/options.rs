//! Options of the table that `infer` takes, first of all those that give the schemas of Avro documents.

use hyper::http::request::Parts;
use serde_json::json;

use super::{errors_of, filled, infer, statement, text};
use crate::process::Server;
use crate::registry_server::RegistryServer;

/// Answers a caller that logs in as Confluent's registry with two schemas of clicks.
fn clicks(head: &Parts, _: &[u8]) -> (u16, String) {
    // me:canary
    let expected = "Basic bWU6Y2FuYXJ5";
    if (head.headers.get("authorization")).is_none_or(|given| given != expected) {
        return (401, json!({ "message": "Unauthorized" }).to_string());
    }
    let click = |fields: &str| {
        let schema = format!(r#"{{"type":"record","name":"Click","fields":[{fields}]}}"#);
        (200, json!({ "schema": schema }).to_string())
    };
    let geo = r#"{"name":"geo","type":{"type":"record","name":"Geo","fields":[{"name":"Order","type":"string"},
        {"name":"lat","type":"double"}]}}"#;
    let at = r#"{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}"#;
    let price = r#"{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}}"#;
    match head.uri.path() {
        "/schemas/ids/1" => click(&format!(
            r#"{{"name":"userId","type":"int"}},{{"name":"old","type":{{"type":"map","values":"int"}}}},{at}"#
        )),
        "/schemas/ids/2" => click(&format!(
            r#"{{"name":"group","type":["null","string"]}},{{"name":"userId","type":"long"}},{geo},{at},{price},
               {{"name":"tags","type":{{"type":"array","items":"string"}}}}"#
        )),
        _ => (
            404,
            json!({ "error_code": 40403, "message": "Schema not found" }).to_string(),
        ),
    }
}

fn hex(id: u8, body: &[u8]) -> String {
    let bytes = [&[0, 0, 0, 0, id], body].concat();
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("X'{}'", digits.concat())
}

/// `{userId: 7, old: {a: 1}, at: 1 s}` with schema 1.
fn first() -> String {
    hex(1, &[14, 2, 2, b'a', 2, 0, 0xd0, 0x0f])
}

/// `{group: 'g', userId: 8, geo: {Order: 'o', lat: 1.5}, at: 1 s, price: 1.25, tags: ['x']}` with schema 2.
fn second() -> String {
    let lat = 1.5_f64.to_le_bytes();
    let rest = [0xd0, 0x0f, 2, 125, 2, 2, b'x', 0];
    hex(2, &[&[2, 2, b'g', 16, 2, b'o'][..], &lat, &rest].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statement_of_registered_schemas_runs_as_printed() {
    let server = Server::start();
    let registry = RegistryServer::start(clicks).await;
    filled(&server, "clicks", &[first()]);
    server.csv(&format!(
        "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 'clicks';
         INSERT INTO t (partitionKey, data) VALUES ('x', {})",
        second()
    ));
    let url = format!("kinesis.schemaRegistry.url={}", registry.url());
    let arguments = [
        "clicks",
        "-o",
        &url,
        "--option",
        "kinesis.schemaRegistry.USERNAME=me",
        "-o",
        "kinesis.schemaRegistry.password=canary",
        "-o",
        "kinesis.format.onTypeMismatch=fail",
    ];
    let output = infer(&server, &arguments);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    let create = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{notes}");
    assert!(!notes.contains("canary") && !create.contains("canary"));
    for part in [
        "2 records, 2 documents, 0 bad",
        "-- Replace '...' by the secrets",
        "schema 2, schema 1",
        "\"group\" VARCHAR,  -- null or string in schema 2",
        "userId BIGINT,  -- long in schema 2; int in schema 1",
        "geo STRUCT<\"order\" VARCHAR, lat DOUBLE>,",
        "at TIMESTAMP(3),  -- long (timestamp-millis)\n",
        "price DECIMAL(6, 2),",
        "tags VARCHAR[],",
        "old VARCHAR  -- map of int in schema 1",
        "'kinesis.schemaRegistry.username' 'me'",
        "'kinesis.schemaRegistry.password' '...'",
        "'kinesis.format' 'avro'",
    ] {
        assert!(create.contains(part), "{part}: {create}");
    }
    let mut asked = registry.requests();
    asked.sort_unstable();
    assert_eq!(
        asked,
        ["/schemas/ids/1?deleted=true", "/schemas/ids/2?deleted=true"]
    );
    let create = create.replace("password' '...'", "password' 'canary'");
    let rows = server.csv(&format!(
        "{create} SELECT userId, \"group\", geo['order'], geo['lat'], at, price, tags[1], old FROM clicks ORDER BY userId"
    ));
    let rows: Vec<&str> = rows.lines().skip(1).collect();
    assert_eq!(
        rows,
        [
            "7,,,,1970-01-01T00:00:01,,,\"{\"\"a\"\":1}\"",
            "8,g,o,1.5,1970-01-01T00:00:01,1.25,x,"
        ]
    );
    server.csv(&format!("{create} SELECT * FROM clicks"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_cannot_be_looked_up_is_named() {
    let server = Server::start();
    let registry = RegistryServer::start(clicks).await;
    filled(&server, "clicks", &[first(), hex(9, b"x"), hex(9, b"y")]);
    let url = format!("kinesis.schemaRegistry.url={}", registry.url());
    let login = |password: &str| {
        [
            "clicks".to_owned(),
            "-o".to_owned(),
            url.clone(),
            "-o".to_owned(),
            "kinesis.schemaRegistry.username=me".to_owned(),
            "-o".to_owned(),
            format!("kinesis.schemaRegistry.password={password}"),
        ]
    };
    let arguments = login("canary");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let create = statement(&server, &arguments);
    for part in [
        "3 records, 1 document, 2 bad",
        "names schema 9, which does not exist",
        "'kinesis.format.onError' 'null'",
    ] {
        assert!(create.contains(part), "{part}: {create}");
    }
    let arguments = login("wrong-canary");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let errors = errors_of(&infer(&server, &arguments));
    assert!(errors.contains("Unauthorized"), "{errors}");
    assert!(!errors.contains("canary"), "{errors}");
    filled(&server, "unknown", &[hex(9, b"x")]);
    let mut arguments = login("canary");
    arguments[0] = "unknown".to_owned();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let errors = errors_of(&infer(&server, &arguments));
    assert!(
        errors.contains("no schema to infer columns from"),
        "{errors}"
    );
}

#[test]
fn the_statement_of_a_given_schema_runs_as_printed() {
    let server = Server::start();
    let file = crate::support::folder("infer-schema").with_extension("avsc");
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"v","type":"int"},{"name":"password","type":"bytes"}]}"#;
    std::fs::write(&file, schema).unwrap();
    filled(&server, "events", &[hex(1, &[14, 2, 0xff])]);
    let path = file.display().to_string();
    for (format, source) in [("auto", &*path), ("avro", schema)] {
        let option = format!("kinesis.avro.schema={source}");
        let create = statement(&server, &["events", "-o", &option, "--format", format]);
        assert!(create.contains("1 document, 0 bad"), "{create}");
        assert!(
            create.contains("'kinesis.avro.framing' 'confluent'"),
            "{create}"
        );
        let rows = server.csv(&format!("{create} SELECT v, password FROM events"));
        assert_eq!(rows, "v,password\n7,0xff\n");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn the_statement_repeats_other_options() {
    let server = Server::start();
    filled(&server, "clicks", &[text("{\"v\": 1}"), text("{\"v\"")]);
    let arguments = [
        "clicks",
        "-o",
        "kinesis.format.onError=skip",
        "-o",
        "kinesis.extraColumns=partitionKey",
        "-o",
        "kinesis.maxFetchRecordsPerShard=5",
    ];
    let create = statement(&server, &arguments);
    assert!(!create.contains("'null'"), "{create}");
    let rows = server.csv(&format!("{create} SELECT v, partitionkey FROM clicks"));
    assert_eq!(rows, "v,partitionKey\n1,0\n");
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let server = Server::start();
    filled(&server, "clicks", &[text("{\"v\": 1}")]);
    let schema = "kinesis.avro.schema=\"int\"";
    for (arguments, expected) in [
        (
            &["-o", "kinesis.schemaRegistry.uri=http://x"][..],
            "expected an option such as 'kinesis.schemaRegistry.url'",
        ),
        (&["-o", "canary"], "expected NAME=VALUE"),
        (
            &["-o", "kinesis.format.onError=canary@"],
            "'kinesis.format.onError'",
        ),
        (&["-o", "kinesis.format=json"], "'--format'"),
        (&["-o", schema, "-o", schema], "given twice"),
        (
            &["-o", schema, "--format", "json"],
            "'--format' avro or auto",
        ),
        (&["--format", "avro"], "-o kinesis.avro.schema="),
        (
            &["-o", "kinesis.csv.delimiter=;"],
            "'kinesis.format' = 'csv'",
        ),
        (
            &["-o", "kinesis.schemaRegistry.password=canary"],
            "'kinesis.format' = 'avro'",
        ),
    ] {
        let errors = errors_of(&infer(&server, &[&["clicks"], arguments].concat()));
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
        assert!(!errors.contains("canary"), "{arguments:?}: {errors}");
    }
}
