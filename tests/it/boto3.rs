//! boto3 writes to `kinesis-sql embedded`, and SELECT returns what it wrote.

use std::process::{Command, Output};

use serde_json::Value;

use crate::process::Server;
use crate::support::skipped;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/it/boto3_client.py"
);

fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn select_returns_what_boto3_wrote() {
    let python = Command::new("python3")
        .args(["-c", "import boto3"])
        .output();
    if !python.is_ok_and(|output| output.status.success()) {
        skipped(
            "what_boto3_writes_is_what_select_shows",
            "python3 cannot import boto3",
        );
        return;
    }
    let server = Server::start();
    let client = Command::new("python3")
        .args([SCRIPT, &server.url, "clicks"])
        .output()
        .unwrap();
    let theirs: Value = serde_json::from_str(&stdout(&client)).unwrap();
    assert_eq!(theirs["shards"], 4);
    let mut children: Vec<&str> = theirs["children"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    children.sort_unstable();
    assert_eq!(children, ["shardId-000000000002", "shardId-000000000003"]);

    let statements = "CREATE EXTERNAL TABLE clicks STORED AS \"aws-kinesis\" LOCATION 'clicks'
        OPTIONS ('kinesis.extraColumns' 'shardId');
        SELECT shardId, sequenceNumber, partitionKey, data,
               CAST(CAST(approximateArrivalTimestamp AS BIGINT) / 1000 AS BIGINT) AS millis
        FROM clicks ORDER BY shardId, sequenceNumber";
    let select = server
        .client()
        .args(["--output", "json", "-c", statements])
        .output()
        .unwrap();
    let ours: Vec<Value> = stdout(&select)
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let columns = [
                "shardId",
                "sequenceNumber",
                "partitionKey",
                "data",
                "millis",
            ];
            columns.iter().map(|column| row[*column].clone()).collect()
        })
        .collect();
    let mut expected = theirs["read"].as_array().unwrap().clone();
    expected.sort_by_key(|row| (row[0].to_string(), row[1].to_string()));
    assert_eq!(ours.len(), 600);
    assert_eq!(ours, expected);
}
