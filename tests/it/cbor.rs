//! CBOR, at the embedded server and with tables.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use datafusion::prelude::SessionContext;
use datafusion_kinesis::kinesis::{
    ApiErrorKind, EmbeddedServer, InMemoryKinesis, InMemoryOptions, IteratorPosition, Kinesis,
    RecordColumns, SdkKinesis,
};
use datafusion_kinesis::model::{
    ConnectionSettings, CredentialSettings, HashKey, Secret, ShardId, StaticCredentials,
    StreamIdentity, StreamName, SystemClock, WireFormat,
};
use datafusion_kinesis::{Services, register_with, sql};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Server, command, folder};
use crate::support::entry;

async fn start() -> EmbeddedServer {
    let options = InMemoryOptions::default();
    let kinesis = Arc::new(InMemoryKinesis::new(Arc::new(SystemClock), options));
    EmbeddedServer::bind("127.0.0.1:0", kinesis).await.unwrap()
}

fn settings(server: &EmbeddedServer, format: WireFormat) -> ConnectionSettings {
    let keys = StaticCredentials {
        access_key_id: Secret::new("key"),
        secret_key: Secret::new("secret"),
        session_token: None,
    };
    ConnectionSettings::default()
        .with_endpoint_url(server.endpoint_url())
        .with_region("eu-west-1")
        .with_credentials(CredentialSettings::keys(keys))
        .with_wire_format(format)
}

#[tokio::test]
async fn what_is_written_in_one_format_is_read_in_the_other() {
    let server = start().await;
    let stream = StreamIdentity::parse("words").unwrap();
    let shard = ShardId::new("shardId-000000000000");
    for (number, (writer, reader)) in [
        (WireFormat::Cbor, WireFormat::Json),
        (WireFormat::Json, WireFormat::Cbor),
        (WireFormat::Cbor, WireFormat::Cbor),
    ]
    .into_iter()
    .enumerate()
    {
        let writer = SdkKinesis::connect(&settings(&server, writer))
            .await
            .unwrap();
        let reader = SdkKinesis::connect(&settings(&server, reader))
            .await
            .unwrap();
        if number == 0 {
            let name = StreamName::new("words").unwrap();
            writer.create_stream(&name, 1).await.unwrap();
        }
        let large: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let entries = [
            entry("k", "hello", None),
            entry("ü\"\\", Vec::new(), Some(HashKey(7))),
            entry("k", large.clone(), None),
            entry("k", large.clone(), None),
        ];
        let before = reader.get_shard_iterator(&stream, &shard, &IteratorPosition::Latest);
        let before = before.await.unwrap();
        let outcomes = writer.put_records(&stream, &entries).await.unwrap();
        let page = reader
            .get_records(&stream, &before, 10, RecordColumns::ALL)
            .await
            .unwrap();
        assert_eq!(page.len(), 4);
        let data: Vec<&[u8]> = (0..4).map(|record| page.data().value(record)).collect();
        assert_eq!(data, [&b"hello"[..], b"", &large, &large]);
        let keys = page.partition_key().unwrap();
        assert_eq!((keys.value(0), keys.value(1)), ("k", "ü\"\\"));
        let numbers = page.sequence_number().unwrap();
        for (record, outcome) in outcomes.iter().enumerate() {
            let written = outcome.as_ref().unwrap();
            assert_eq!(numbers.value(record), written.sequence.as_str());
        }
        let arrival = page.arrival().unwrap();
        let now = chrono::Utc::now().timestamp_micros();
        assert!(
            (now - arrival.value(0)).abs() < 60_000_000,
            "{}",
            arrival.value(0)
        );
        assert!(page.next.is_some() && page.behind_latest.is_some());
    }
}

#[tokio::test]
async fn an_error_in_cbor_keeps_its_code_and_message() {
    let server = start().await;
    for format in [WireFormat::Cbor, WireFormat::Json] {
        let kinesis = SdkKinesis::connect(&settings(&server, format))
            .await
            .unwrap();
        let stream = StreamIdentity::parse("nothing").unwrap();
        let error = kinesis
            .put_records(&stream, &[entry("k", "x", None)])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ApiErrorKind::NotFound);
        assert_eq!(error.code(), "ResourceNotFoundException");
        assert!(error.message().contains("nothing"), "{error}");
    }
}

/// Requests that the AWS SDK for Java sent, one after the other.
#[tokio::test]
async fn requests_of_the_java_sdk_are_answered_in_cbor() {
    let server = start().await;
    let kinesis = SdkKinesis::connect(&settings(&server, WireFormat::Auto))
        .await
        .unwrap();
    kinesis
        .create_stream(&StreamName::new("s").unwrap(), 1)
        .await
        .unwrap();
    // CreateStream of another stream, ListShards with MaxResults 1000 and the filter AT_LATEST, PutRecord, and an
    // unknown operation.
    let create = "bf6a53747265616d4e616d6561746a5368617264436f756e7401ff";
    let shards = "bf6a53747265616d4e616d656173\
        6a4d6178526573756c74731903e86b536861726446696c746572bf6454797065 6941545f4c4154455354 ffff";
    let put =
        "bf64446174614568656c6c6f6c506172746974696f6e4b657962706b6a53747265616d4e616d656173ff";
    for (operation, body, status, expected) in [
        ("CreateStream", create, 200, &b"content-length: 0"[..]),
        ("ListShards", shards, 200, b"shardId-000000000000"),
        ("PutRecord", put, 200, b"SequenceNumber"),
        ("PutRecord", "bf", 400, b"SerializationException"),
        ("PutWords", "a0", 400, b"UnknownOperationException"),
    ] {
        let digits: Vec<u8> = body.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let body: Vec<u8> = digits.chunks(2).map(byte).collect();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-amz-cbor-1.1\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=key/20261130/eu-west-1/kinesis/aws4_request\r\n\
             X-Amz-Target: Kinesis_20131202.{operation}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut connection = TcpStream::connect(server.local_addr()).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&body).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        let shown = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(shown.starts_with(&format!("http/1.1 {status}")), "{shown}");
        assert!(
            shown.contains("content-type: application/x-amz-cbor-1.1"),
            "{shown}"
        );
        let mut windows = answer.windows(expected.len());
        assert!(windows.any(|window| window == expected), "{shown}");
    }
}

#[tokio::test]
async fn a_table_reads_and_writes_in_cbor() {
    let server = start().await;
    let ctx = SessionContext::new();
    register_with(&ctx, Services::sdk(settings(&server, WireFormat::Auto)));
    let run = async |text: &str| sql(&ctx, text).await.unwrap().collect().await.unwrap();
    run("CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'
         OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '2', 'kinesis.wireFormat' 'cbor')").await;
    run("INSERT INTO words (partitionKey, data)
         SELECT CAST(value AS VARCHAR), CAST(value AS VARCHAR) FROM generate_series(1, 1000)")
    .await;
    let rows = run("SELECT count(*), count(DISTINCT data), min(\"partitionKey\") FROM words").await;
    let shown = datafusion::arrow::util::pretty::pretty_format_batches(&rows)
        .unwrap()
        .to_string();
    assert!(shown.contains("| 1000     | 1000"), "{shown}");
}

/// The server may be one that does not know CBOR, and takes the bytes of a put for something else.
#[test]
fn a_server_that_the_environment_names_gets_json() {
    let folder = folder("named-by-a-profile");
    let profile = folder.join("config");
    for (number, variable) in ["AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL", ""]
        .into_iter()
        .enumerate()
    {
        let server = Server::start();
        let (url, sent) = overheard(&server.url);
        fs::write(&profile, format!("[default]\nendpoint_url = {url}\n")).unwrap();
        let statements = format!(
            "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words-{number}'
             OPTIONS ('kinesis.createStream' 'true');
             INSERT INTO words (partitionKey, data) VALUES ('a', 'hello');
             SELECT CAST(data AS VARCHAR) AS word FROM words"
        );
        let mut client = command();
        client
            .args(["--region", "us-east-1", "--output", "csv"])
            .args(["-c", &statements])
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        match variable {
            "" => client.env("AWS_CONFIG_FILE", &profile),
            variable => client.env(variable, &url),
        };
        let output = client.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("word\nhello"), "{variable}: {said}{errors}");
        let sent = String::from_utf8_lossy(&sent.lock().unwrap()).to_ascii_lowercase();
        assert!(sent.contains("kinesis_20131202.putrecords"), "{variable}");
        assert!(!sent.contains("cbor"), "{variable}");
    }
}

#[test]
fn an_unencrypted_remote_server_that_the_environment_names_is_refused() {
    let mut client = command();
    client
        .args(["--region", "us-east-1", "-c"])
        .arg("CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL_KINESIS", "http://kinesis.test:4567");
    let output = client.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        errors.contains("endpoint 'http://kinesis.test:4567': expected https://"),
        "{errors}"
    );
}

/// A server in front of the one at `url`, and what clients send to it.
fn overheard(url: &str) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let own_url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::<Mutex<Vec<u8>>>::default();
    let (heard, server) = (
        Arc::clone(&sent),
        url.trim_start_matches("http://").to_owned(),
    );
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut server = std::net::TcpStream::connect(&server).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let heard = Arc::clone(&heard);
            thread::spawn(move || {
                let mut part = [0; 1 << 16];
                while let Ok(length @ 1..) = from.read(&mut part) {
                    heard.lock().unwrap().extend_from_slice(&part[..length]);
                    to.write_all(&part[..length]).unwrap();
                }
                let _ = to.shutdown(Shutdown::Write);
            });
            thread::spawn(move || io::copy(&mut server, &mut client));
        }
    });
    (own_url, sent)
}
