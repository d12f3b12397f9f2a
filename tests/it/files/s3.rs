//! Tables of files on S3 in the command.

use std::process::Command;

use crate::doctor::s3::served;
use crate::process::command;
use crate::streaming::FROM_THE_START;

const KEY_ID: &str = "AKIDLOOPBACK";
const SECRET: &str = "hush";

/// The command with a server of S3 and keys in the environment.
fn with_server(url: &str, secret: &str, statements: &str) -> Command {
    let mut command = command();
    command
        .args(["--embedded", "--output", "csv", "-c", statements])
        .env("AWS_ENDPOINT", url)
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", secret);
    command
}

/// The output of statements, and their messages.
async fn run(url: &str, secret: &str, statements: &str) -> (String, String, Option<i32>) {
    let mut command = with_server(url, secret, statements);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn files_on_s3_are_written_read_and_joined() {
    let url = served(KEY_ID, SECRET).await;
    for (format, options) in [
        ("PARQUET", ""),
        ("JSON", ""),
        ("CSV", "OPTIONS ('format.has_header' 'true')"),
    ] {
        let place = format!("s3://bucket/{}/", format.to_lowercase());
        let statements = format!(
            "CREATE EXTERNAL TABLE written (code VARCHAR, name VARCHAR) STORED AS {format} LOCATION '{place}' {options};
             INSERT INTO written VALUES ('DE', 'Germany');
             CREATE EXTERNAL TABLE countries STORED AS {format} LOCATION '{place}' {options};
             CREATE UNBOUNDED EXTERNAL TABLE visits STORED AS \"aws-kinesis\" LOCATION 'visits'
               OPTIONS ('kinesis.createStream' 'true', {FROM_THE_START});
             INSERT INTO visits (partitionKey, data) VALUES ('DE', 'x');
             SET streaming.trigger = 'available now';
             SELECT name FROM visits JOIN countries ON code = partitionKey"
        );
        let (rows, said, code) = run(&url, SECRET, &statements).await;
        assert_eq!(code, Some(0), "{format}: {said}");
        assert!(rows.ends_with("name\nGermany\n"), "{format}: {rows}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streaming_query_writes_files_on_s3() {
    let url = served(KEY_ID, SECRET).await;
    let statements = format!(
        "CREATE UNBOUNDED EXTERNAL TABLE visits STORED AS \"aws-kinesis\" LOCATION 'visits'
           OPTIONS ('kinesis.createStream' 'true', {FROM_THE_START});
         INSERT INTO visits (partitionKey, data) VALUES ('a', 'x'), ('b', 'y');
         CREATE EXTERNAL TABLE out (k VARCHAR, day VARCHAR) STORED AS PARQUET PARTITIONED BY (day)
           LOCATION 's3://bucket/out/';
         SET streaming.trigger = 'available now';
         SET streaming.checkpoint_location = 's3://bucket/checkpoint';
         INSERT INTO out SELECT partitionKey, 'today' FROM visits;
         SELECT k, day FROM out ORDER BY k"
    );
    let (rows, said, code) = run(&url, SECRET, &statements).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(rows.ends_with("k,day\na,today\nb,today\n"), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_files_and_refused_keys_on_s3_are_errors() {
    let url = served(KEY_ID, SECRET).await;
    let create = "CREATE EXTERNAL TABLE t (v VARCHAR) STORED AS CSV LOCATION";
    for (secret, location, expected) in [
        (SECRET, "s3://bucket/none/", "there are no files"),
        (SECRET, "s3://bucket/none.csv", "there are no files"),
        ("other", "s3://bucket/none/", "access is denied"),
        (
            SECRET,
            "s3://elsewhere/none/",
            "the bucket or container does not exist",
        ),
    ] {
        let statements = format!("{create} '{location}'; SELECT * FROM t");
        let (_, said, code) = run(&url, secret, &statements).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "{location}: {said}");
    }
}
