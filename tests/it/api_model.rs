//! The embedded server compared with the API model of Kinesis (`tests/data/kinesis_model.tsv`):
//! constraints of members, errors of operations, and shapes of responses.

mod checking;
mod consumers;
mod regions;
mod serving;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion_kinesis::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions};
use datafusion_kinesis::model::SystemClock;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MODEL: &str = include_str!("../data/kinesis_model.tsv");

/// Errors that any request may cause.
const COMMON_ERRORS: &[&str] = &["SerializationException", "ValidationException"];

/// One operation of the model.
#[derive(Debug, Default)]
struct Operation {
    errors: BTreeSet<&'static str>,
    input: Vec<Member>,
    output: Vec<Member>,
}

/// A member of a request or response, at any depth.
#[derive(Debug)]
struct Member {
    path: &'static str,
    kind: &'static str,
    required: bool,
    min: Option<i64>,
    max: Option<i64>,
    /// The pattern, or the enum values.
    allowed: &'static str,
}

fn model() -> BTreeMap<&'static str, Operation> {
    let mut operations = BTreeMap::<_, Operation>::new();
    for line in MODEL.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split('\t').collect();
        let operation = operations.entry(fields[0]).or_default();
        if fields[1] == "errors" {
            operation.errors = fields[2].split(',').collect();
            continue;
        }
        let member = Member {
            path: fields[2],
            kind: fields[3],
            required: fields[4] == "required",
            min: fields[5].parse().ok(),
            max: fields[6].parse().ok(),
            allowed: fields[7],
        };
        match fields[1] {
            "in" => operation.input.push(member),
            _ => operation.output.push(member),
        }
    }
    operations
}

async fn start() -> (Arc<InMemoryKinesis>, EmbeddedServer) {
    start_with(InMemoryOptions::default()).await
}

async fn start_with(options: InMemoryOptions) -> (Arc<InMemoryKinesis>, EmbeddedServer) {
    let kinesis = Arc::new(InMemoryKinesis::new(Arc::new(SystemClock), options));
    let server = EmbeddedServer::bind("127.0.0.1:0", Arc::clone(&kinesis));
    let server = server.await.unwrap();
    (kinesis, server)
}

/// The server's response, or the code and message of its error.
async fn call(
    server: &EmbeddedServer,
    operation: &str,
    body: &Value,
) -> Result<Value, (String, String)> {
    call_as(server, "test/20260101/us-east-1", operation, body).await
}

/// The same, signed with this access key id, date and region.
async fn call_as(
    server: &EmbeddedServer,
    credential: &str,
    operation: &str,
    body: &Value,
) -> Result<Value, (String, String)> {
    let body = body.to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         X-Amz-Target: Kinesis_20131202.{operation}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={credential}/kinesis/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\
         Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(server.local_addr()).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body = match body {
        "" => json!({}),
        body => serde_json::from_str(body).unwrap_or_else(|error| panic!("{body}: {error}")),
    };
    if head.starts_with("HTTP/1.1 200") {
        return Ok(body);
    }
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    Err((text("__type"), text("message")))
}

/// A valid value for the member `name`.
fn example(name: &str) -> Value {
    match name {
        "StreamARN" | "ResourceARN" => json!(ARN),
        "StreamName" => json!("model"),
        "ConsumerName" => json!("sql"),
        "ConsumerARN" => json!(format!("{ARN}/consumer/sql:1700000000")),
        "StartingPosition" => json!({ "Type": "LATEST" }),
        "StreamId" => json!("abcdefghijklmnopqrst-u1v"),
        "ShardId" | "ShardToMerge" | "ShardToSplit" | "ExclusiveStartShardId" => {
            json!("shardId-000000000000")
        }
        "AdjacentShardToMerge" => json!("shardId-000000000001"),
        "NewStartingHashKey" | "ExplicitHashKey" => {
            json!("170141183460469231731687303715884105728")
        }
        "ShardIteratorType" => json!("TRIM_HORIZON"),
        "ScalingType" => json!("UNIFORM_SCALING"),
        "TargetShardCount" => json!(2),
        "RetentionPeriodHours" => json!(48),
        "MaxRecordSizeInKiB" => json!(2_048),
        "WarmThroughputMiBps" => json!(10),
        "RecordDistributionStrategy" => json!("USER_PARTITION_KEY"),
        "StreamModeDetails" => json!({ "StreamMode": "ON_DEMAND" }),
        "MinimumThroughputBillingCommitment" => json!({ "Status": "ENABLED" }),
        "EncryptionType" => json!("KMS"),
        "KeyId" => json!("alias/aws/kinesis"),
        "ShardLevelMetrics" => json!(["IncomingBytes"]),
        "Tags" => json!({ "team": "streams" }),
        "TagKeys" => json!(["team"]),
        "Policy" => json!("{\"Version\":\"2012-10-17\",\"Statement\":[]}"),
        "Data" => json!("eA=="),
        "PartitionKey" => json!("k"),
        "Records" => json!([{ "Data": "eA==", "PartitionKey": "k" }]),
        "ShardFilter" => json!({ "Type": "AT_LATEST" }),
        "ShardIterator" => json!("AAAA"),
        other => panic!("no example of {other}"),
    }
}

const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/model";

impl Operation {
    /// A request with the required members.
    fn request(&self) -> Map<String, Value> {
        let required = |member: &&Member| member.required && !member.path.contains(['.', '[', '{']);
        let members = self.input.iter().filter(required);
        members
            .map(|member| (member.path.to_owned(), example(member.path)))
            .collect()
    }
}
