//! Avro documents whose schemas are in a registry.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::{Clock, SystemClock, Trigger};
use datafusion_kinesis::query::{QueryEnd, StreamingQuery};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hyper::http::request::Parts;
use serde_json::json;

use crate::aws::Signature;
use crate::registry_server::RegistryServer;
use crate::support::World;

/// Answers as Confluent's registry with two schemas of clicks; the second refers to another one.
fn clicks(head: &Parts, _: &[u8]) -> (u16, String) {
    let click = |fields: &str| format!(r#"{{"type":"record","name":"Click","fields":[{fields}]}}"#);
    let id = r#"{"name":"userId","type":"long"}"#;
    let url = r#"{"name":"url","type":["null","string"]}"#;
    let page = r#"{"name":"page","type":"web.Page"}"#;
    match head.uri.path() {
        "/api/schemas/ids/1" => (
            200,
            json!({ "schema": click(&format!("{id},{url}")) }).to_string(),
        ),
        "/api/schemas/ids/2" => {
            let references =
                json!([{ "name": "web.Page", "subject": "pages/v1 value", "version": 3 }]);
            let schema = click(&format!("{page},{url},{id}"));
            let answer =
                json!({ "schema": schema, "schemaType": "AVRO", "references": references });
            (200, answer.to_string())
        }
        "/api/subjects/pages%2Fv1%20value/versions/3" => {
            let schema = r#"{"type":"record","name":"Page","namespace":"web","fields":[{"name":"n","type":"int"}]}"#;
            (
                200,
                json!({ "subject": "pages/v1 value", "version": 3, "id": 9, "schema": schema })
                    .to_string(),
            )
        }
        "/api/schemas/ids/5" => (
            200,
            json!({ "schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF" }).to_string(),
        ),
        "/api/schemas/ids/4" => {
            let references = json!([{ "name": "x", "subject": "gone", "version": 1 }]);
            let answer = json!({ "schema": click(id), "references": references });
            (200, answer.to_string())
        }
        path if path.starts_with("/api/subjects/gone/") => (
            404,
            json!({ "error_code": 40401, "message": "Subject not found" }).to_string(),
        ),
        "/api/schemas/ids/6" => (200, json!({ "schema": "{\"type\":\"recrd\"}" }).to_string()),
        path if path.starts_with("/api/schemas/ids/") => (
            404,
            json!({ "error_code": 40403, "message": "Schema not found" }).to_string(),
        ),
        _ => (404, "<html>nothing here</html>".to_owned()),
    }
}

/// A document with Confluent's header.
fn document(id: u32, value: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), value].concat()
}

/// `{userId: 7, url: '/a'}` with schema 1.
const FIRST: &[u8] = &[14, 2, 4, b'/', b'a'];
/// `{page: {n: 1}, url: NULL, userId: 8}` with schema 2.
const SECOND: &[u8] = &[2, 0, 16];

async fn stream(documents: &[Vec<u8>]) -> World {
    let world = World::new();
    world.table("raw", 2, "").await;
    for (n, document) in documents.iter().enumerate() {
        world.put("raw", &n.to_string(), document.clone()).await;
    }
    world
}

async fn table(world: &World, kind: &str, options: &str) {
    world
        .run(&format!(
            "CREATE {kind} clicks (userid BIGINT, url VARCHAR, page STRUCT<n INT>) STORED AS \"aws-kinesis\"
             LOCATION 'raw' OPTIONS ('kinesis.format' 'avro', 'kinesis.startingPosition' 'TRIM_HORIZON',
                'kinesis.clientRetryIntervalsMs' '1', 'kinesis.clientMaxRetryIntervalMs' '2', {options})"
        ))
        .await;
}

async fn confluent(world: &World, server: &RegistryServer, options: &str) {
    let url = format!(
        "'kinesis.schemaRegistry.url' '{}/api' {options}",
        server.url()
    );
    table(world, "EXTERNAL TABLE", &url).await;
}

#[tokio::test]
async fn each_document_is_decoded_with_the_schema_it_names() {
    let mut documents = Vec::new();
    for _ in 0..50 {
        documents.push(document(1, FIRST));
        documents.push(document(2, SECOND));
    }
    let world = stream(&documents).await;
    let server = RegistryServer::start(clicks).await;
    confluent(&world, &server, "").await;
    let query = "SELECT concat_ws(' ', userid, coalesce(url, '-'), coalesce(page['n'], 0), count(*)) FROM clicks
                 GROUP BY userid, url, page['n'] ORDER BY userid";
    let expected = ["7 /a 0 50", "8 - 1 50"];
    for _ in 0..2 {
        assert_eq!(world.lines(query).await, expected);
    }
    assert_eq!(world.number("SELECT count(*) FROM clicks").await, 100);
    // Once for both shards and all queries.
    let mut requests = server.requests();
    requests.sort_unstable();
    assert_eq!(
        requests,
        [
            "/api/schemas/ids/1?deleted=true",
            "/api/schemas/ids/2?deleted=true",
            "/api/subjects/pages%2Fv1%20value/versions/3?deleted=true",
        ]
    );
}

#[tokio::test]
async fn a_document_whose_schema_cannot_be_used_is_a_bad_document() {
    let documents = [
        document(1, FIRST),
        document(3, FIRST),
        document(4, FIRST),
        document(5, FIRST),
        document(6, FIRST),
        b"no header".to_vec(),
        document(2, SECOND),
    ];
    let world = stream(&documents).await;
    let server = RegistryServer::start(clicks).await;
    let null = ", 'kinesis.format.onError' 'null', 'kinesis.format.errorColumn' 'why'";
    confluent(&world, &server, null).await;
    let reasons = world
        .lines("SELECT why FROM clicks WHERE userid IS NULL ORDER BY 1")
        .await;
    let registry = format!("schema registry '{}/api'", server.url());
    assert_eq!(
        reasons,
        [
            format!("names schema 3, which does not exist in {registry}"),
            format!(
                "names schema 4, which names version 1 of subject 'gone', which does not exist in {registry}"
            ),
            format!("names schema 5, which is of type PROTOBUF instead of AVRO, in {registry}"),
            format!(
                "names schema 6 of {registry}, which is invalid: type 'recrd' is not known: expected a primitive \
                 type, or a record, enum or fixed that is defined before"
            ),
            "starts with 6E: expected 00 of Confluent's format ('kinesis.avro.framing') (byte 0)"
                .to_owned(),
        ]
    );
    assert_eq!(world.number("SELECT count(*) FROM clicks").await, 7);
    assert_eq!(world.number("SELECT count(userid) FROM clicks").await, 2);
    world.run("DROP TABLE clicks").await;
    confluent(&world, &server, "").await;
    let (kind, error) = world.refusal("SELECT count(*) FROM clicks").await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    for part in [
        "stream 'raw'",
        "shardId-",
        "sequence number",
        "names schema",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_registry_that_refuses_the_caller_fails_the_statement() {
    let world = stream(&[document(1, FIRST)]).await;
    let server = RegistryServer::start(|head, body| {
        // me:canary
        let expected = "Basic bWU6Y2FuYXJ5";
        match head.headers.get("authorization") {
            Some(given) if given == expected => clicks(head, body),
            _ => (
                401,
                json!({ "error_code": 401, "message": "Unauthorized" }).to_string(),
            ),
        }
    })
    .await;
    let login = |password: &str| {
        format!(
            ", 'kinesis.schemaRegistry.username' 'me', 'kinesis.schemaRegistry.password' '{password}'"
        )
    };
    confluent(&world, &server, &login("other-canary")).await;
    let (kind, error) = world.refusal("SELECT * FROM clicks").await;
    assert_eq!(kind, ErrorKind::AccessDenied);
    assert!(error.contains("status 401: Unauthorized"), "{error}");
    assert!(!error.contains("canary"), "{error}");
    assert_eq!(server.requests().len(), 1, "it was retried");
    world.run("DROP TABLE clicks").await;
    confluent(&world, &server, &login("canary")).await;
    assert_eq!(world.lines("SELECT userid FROM clicks").await, ["7"]);
}

#[tokio::test]
async fn an_address_without_a_registry_is_an_invalid_option() {
    let world = stream(&[document(1, FIRST)]).await;
    let server = RegistryServer::start(|_, _| (404, "<html>nothing here</html>".to_owned())).await;
    confluent(&world, &server, ", 'kinesis.format.onError' 'skip'").await;
    for (status, body) in [
        (404, "<html>nothing here</html>"),
        (200, "<html>welcome</html>"),
    ] {
        server.change(move |_, _| (status, body.to_owned()));
        let (kind, error) = world.refusal("SELECT count(*) FROM clicks").await;
        assert_eq!(kind, ErrorKind::InvalidOption);
        for part in ["kinesis.schemaRegistry.url", body, &server.url()] {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[tokio::test]
async fn a_registry_that_fails_is_asked_again_until_the_retries_are_used_up() {
    let world = stream(&[document(1, FIRST)]).await;
    let server = RegistryServer::start(|_, _| (503, "busy".to_owned())).await;
    confluent(&world, &server, ", 'kinesis.clientNumRetries' '3'").await;
    let (kind, error) = world.refusal("SELECT userid FROM clicks").await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(
        error.contains("gave up after 4 tries") && error.contains("status 503: busy"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 4);
    // A failure is not remembered.
    server.change(clicks);
    assert_eq!(world.lines("SELECT userid FROM clicks").await, ["7"]);
}

#[tokio::test]
async fn a_streaming_query_waits_for_its_registry() {
    let world = stream(&[document(1, FIRST), document(2, SECOND)]).await;
    world.table("out", 1, "").await;
    let server = RegistryServer::start(|_, _| (500, String::new())).await;
    let options = format!(
        "'kinesis.schemaRegistry.url' '{}/api', 'kinesis.clientNumRetries' '1'",
        server.url()
    );
    table(&world, "UNBOUNDED EXTERNAL TABLE", &options).await;
    let statement =
        "INSERT INTO out (partitionKey, data) SELECT 'k', CAST(userid AS VARCHAR) FROM clicks";
    let query = StreamingQuery::builder(&world.ctx, statement)
        .with_checkpoint_location("memory://registry")
        .with_trigger(Trigger::AvailableNow);
    let query = query.start().await.unwrap();
    // More often than a bounded statement would ask.
    while server.requests().len() < 10 {
        tokio::task::yield_now().await;
    }
    server.change(clicks);
    query.await_termination().await.unwrap();
    let written = world
        .lines("SELECT CAST(data AS VARCHAR) FROM out ORDER BY 1")
        .await;
    assert_eq!(written, ["7", "8"]);
}

const VERSION: &str = "12345678-9abc-4def-8123-456789abcdef";

/// Answers as AWS Glue, which knows one version of a schema.
fn glue(head: &Parts, body: &[u8]) -> (u16, String) {
    let refused = |code: &str, message: &str| {
        (
            400,
            json!({ "__type": code, "Message": message }).to_string(),
        )
    };
    let Some(signature) = Signature::of(head) else {
        return refused("MissingAuthenticationTokenException", "no signature");
    };
    assert_eq!(
        (signature.service.as_str(), signature.region.as_str()),
        ("glue", "eu-west-3")
    );
    let now = u64::try_from(SystemClock.now().0).unwrap();
    let now = UNIX_EPOCH + Duration::from_millis(now);
    if let Err(message) = signature.check("glue-secret", now, head, body) {
        return refused("InvalidSignatureException", &message);
    }
    assert_eq!(head.headers["x-amz-target"], "AWSGlue.GetSchemaVersion");
    assert_eq!(head.headers["content-type"], "application/x-amz-json-1.1");
    let request: serde_json::Value = serde_json::from_slice(body).unwrap();
    match request["SchemaVersionId"].as_str().unwrap() {
        VERSION => {
            let schema =
                r#"{"type":"record","name":"C","fields":[{"name":"userId","type":"long"}]}"#;
            let answer = json!({ "SchemaVersionId": VERSION, "SchemaDefinition": schema,
                "DataFormat": "AVRO", "Status": "AVAILABLE" });
            (200, answer.to_string())
        }
        other => refused(
            "EntityNotFoundException",
            &format!("Schema version is not found. SchemaVersionId: {other}"),
        ),
    }
}

/// A document with the header of AWS Glue.
fn glue_document(version: &str, compression: u8, value: &[u8]) -> Vec<u8> {
    let version = version.replace('-', "");
    let version = u128::from_str_radix(&version, 16).unwrap();
    [&[3, compression][..], &version.to_be_bytes(), value].concat()
}

#[tokio::test]
async fn glue_is_asked_with_the_credentials_of_the_table() {
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    compressed.write_all(&[16]).unwrap();
    let documents = [
        glue_document(VERSION, 0, &[14]),
        glue_document(VERSION, 5, &compressed.finish().unwrap()),
        glue_document("00000000-0000-0000-0000-000000000001", 0, &[14]),
    ];
    let world = stream(&documents).await;
    let server = RegistryServer::start(glue).await;
    let options = |secret: &str, more: &str| {
        format!(
            "'kinesis.schemaRegistry.type' 'glue', 'kinesis.schemaRegistry.url' '{}',
             'kinesis.schemaRegistry.region' 'eu-west-3', 'kinesis.awsAccessKeyId' 'AKIA',
             'kinesis.awsSecretKey' '{secret}' {more}",
            server.url()
        )
    };
    let skip = ", 'kinesis.format.onError' 'skip'";
    table(&world, "EXTERNAL TABLE", &options("glue-secret", skip)).await;
    let rows = world.lines("SELECT userid FROM clicks ORDER BY 1").await;
    assert_eq!(rows, ["7", "8"]);
    assert_eq!(server.requests().len(), 2);
    world.run("DROP TABLE clicks").await;
    table(&world, "EXTERNAL TABLE", &options("glue-secret", "")).await;
    let (kind, error) = world.refusal("SELECT userid FROM clicks").await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    let expected = "names schema version 00000000-0000-0000-0000-000000000001, which does not exist in schema registry";
    assert!(error.contains(expected), "{error}");
    world.run("DROP TABLE clicks").await;
    table(&world, "EXTERNAL TABLE", &options("canary", skip)).await;
    let (kind, error) = world.refusal("SELECT userid FROM clicks").await;
    assert_eq!(kind, ErrorKind::AccessDenied);
    assert!(
        error.contains("InvalidSignatureException") && !error.contains("canary"),
        "{error}"
    );
}

#[tokio::test]
async fn an_error_of_glue_may_have_its_code_only_in_a_header() {
    let world = stream(&[glue_document(VERSION, 0, &[14])]).await;
    let server = RegistryServer::start(|_, _| (400, "{\"Message\":\"no\"}".to_owned())).await;
    server.add_header(
        "x-amzn-errortype",
        "EntityNotFoundException:http://internal.amazon.com/coral/com.amazonaws.glue/#x",
    );
    let options = format!(
        "'kinesis.schemaRegistry.type' 'glue', 'kinesis.schemaRegistry.url' '{}',
         'kinesis.schemaRegistry.region' 'eu-west-3', 'kinesis.awsAccessKeyId' 'AKIA',
         'kinesis.awsSecretKey' 'x'",
        server.url()
    );
    table(&world, "EXTERNAL TABLE", &options).await;
    let (kind, error) = world.refusal("SELECT userid FROM clicks").await;
    assert_eq!(kind, ErrorKind::InvalidRow, "{error}");
    assert!(
        error.contains("does not exist in schema registry"),
        "{error}"
    );
    // The table remembers that there is no such schema.
    world.run("DROP TABLE clicks").await;
    table(&world, "EXTERNAL TABLE", &options).await;
    server.add_header("x-amzn-errortype", "AccessDeniedException");
    let (kind, error) = world.refusal("SELECT userid FROM clicks").await;
    assert_eq!(kind, ErrorKind::AccessDenied, "{error}");
    assert!(
        error.contains("AccessDeniedException: no (status 400)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_registry_that_does_not_answer() {
    let world = stream(&[document(1, FIRST)]).await;
    world.table("out", 1, "").await;
    let server = RegistryServer::start(|_, _| (500, String::new())).await;
    let url = format!("'kinesis.schemaRegistry.url' '{}/api'", server.url());
    table(&world, "UNBOUNDED EXTERNAL TABLE", &url).await;
    let statement =
        "INSERT INTO out (partitionKey, data) SELECT 'k', CAST(userid AS VARCHAR) FROM clicks";
    let start = || {
        StreamingQuery::builder(&world.ctx, statement)
            .with_checkpoint_location("memory://stopped-lookup")
            .with_trigger(Trigger::AvailableNow)
            .with_stop_timeout(Duration::from_secs(3_600))
    };
    let query = start().start().await.unwrap();
    while server.requests().len() < 3 {
        tokio::task::yield_now().await;
    }
    query.stop().await.unwrap();
    assert_eq!(query.end(), Some(QueryEnd::Stopped));
    server.change(clicks);
    let query = start().start().await.unwrap();
    query.await_termination().await.unwrap();
    let written = world.lines("SELECT CAST(data AS VARCHAR) FROM out").await;
    assert_eq!(written, ["7"]);
}

/// A server may repeat the headers of a request, and may leave members out in its own way.
#[tokio::test]
async fn an_answer_is_quoted_without_secrets_and_in_part() {
    let world = stream(&[document(1, FIRST)]).await;
    let server = RegistryServer::start(clicks).await;
    let login =
        ", 'kinesis.schemaRegistry.username' 'me', 'kinesis.schemaRegistry.password' 'canary',
        'kinesis.clientNumRetries' '0'";
    confluent(&world, &server, login).await;
    for status in [200, 400, 403, 500] {
        for form in 0..4 {
            server.change(move |head, _| {
                let sent = head.headers["authorization"].to_str().unwrap();
                let said = format!("{sent} canary {}", "x".repeat(100_000));
                let answer = match form {
                    0 => said,
                    1 => json!({ "message": said, "error_code": "no" }).to_string(),
                    // The parser quotes what is of another type.
                    2 => json!(said).to_string(),
                    _ => json!({ "schema": "\"int\"", "references": said }).to_string(),
                };
                (status, answer)
            });
            let (_, error) = world.refusal("SELECT userid FROM clicks").await;
            let is_shown = ["canary", "bWU6Y2FuYXJ5"].map(|secret| error.contains(secret));
            assert_eq!(is_shown, [false, false], "{error}");
            assert!(error.len() < 2_000, "{} bytes", error.len());
        }
    }
    server.change(|_, _| {
        let schema = r#"{"type":"record","name":"C","fields":[{"name":"userId","type":"long"},
            {"name":"url","type":["null","string"]}]}"#;
        let answer = json!({ "schema": schema, "schemaType": null, "references": null });
        (200, answer.to_string())
    });
    assert_eq!(world.lines("SELECT userid FROM clicks").await, ["7"]);
}
