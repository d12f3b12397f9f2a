//! What does writing rows cost, compared with hashing and sending the same bytes?
//!
//! `cargo bench --bench sink` writes 2,000,000 rows of 100 bytes with `kinesis-sql`, packed into aggregated records for
//! 8 shards. The floor is a program that computes the hashes which these records need (MD5 of each partition key and
//! of each record, and SHA-256 of each request for its signature), and sends requests of the same size that were made
//! beforehand. It prints the CPU of each process, without that of computing the rows, which `count(*)` measures. The
//! server is another process. `-- COMMAND` also measures another build of `kinesis-sql`.

#[path = "support/process.rs"]
mod process;
mod support;

use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use datafusion_kinesis::model::{Clock, SystemClock};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use md5::{Digest, Md5};
use process::{ProcessCost, cost_of};
use support::{COMMAND, Server};
use tokio::net::TcpStream;

const SHARDS: i32 = 8;
const ROWS: usize = 2_000_000;
const DATA_BYTES: usize = 100;
/// Data, key, and what the format adds.
const ROW_BYTES: usize = DATA_BYTES + 14;
/// About the size of the aggregated records of the sink.
const AGGREGATE_BYTES: usize = 51_200;
const ROUNDS: usize = 5;

/// The argument with which this program is the floor.
const FLOOR: &str = "--floor";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, name, url, stream] = arguments.as_slice()
        && name == FLOOR
    {
        runtime.block_on(hash_and_send(url, stream));
        return;
    }
    let this = std::env::current_exe().expect("this program has a path");
    let other = arguments
        .iter()
        .skip(1)
        .find(|argument| *argument != "--bench");
    let mut ways = vec![("rows alone", COMMAND), ("this build", COMMAND)];
    ways.extend(other.map(|other| ("other build", other.as_str())));
    let mut costs = vec![Vec::new(); ways.len() + 1];
    for _ in 0..ROUNDS {
        for (way, (name, program)) in ways.iter().enumerate() {
            let statement = match *name {
                "rows alone" => format!(
                    "SELECT count(data), count(\"partitionKey\") FROM ({})",
                    rows()
                ),
                _ => format!(
                    "{} INSERT INTO out (data, \"partitionKey\") {}",
                    table(),
                    rows()
                ),
            };
            let server = Server::start();
            costs[way].push(cost_of(&mut command(program, &server, &statement)));
        }
        let server = Server::start();
        runtime.block_on(create(&server));
        let mut floor = Command::new(&this);
        floor.args([FLOOR, &server.url, "out"]);
        costs[ways.len()].push(cost_of(&mut floor));
    }
    let cpu: Vec<f64> = costs.iter().map(|costs| median(costs)).collect();
    let floor = cpu[ways.len()];
    println!("                   CPU s   without the rows   of hashing and sending   peak MB");
    let names = ways.iter().map(|(name, _)| *name).chain(["hash and send"]);
    for (way, name) in names.enumerate() {
        let is_writing = (1..ways.len()).contains(&way);
        let writing = cpu[way] - if is_writing { cpu[0] } else { 0.0 };
        let peaks = costs[way].iter().map(|cost| cost.peak_kilobytes);
        println!(
            "{name:<15} {:>8.2}   {writing:>16.2}   {:>22.2}   {:>7}",
            cpu[way],
            writing / floor,
            peaks.max().unwrap_or_default() / 1_000
        );
    }
    println!(
        "at most 1.5; rows per CPU second: {:.0}",
        ROWS as f64 / cpu[1]
    );
}

fn median(costs: &[ProcessCost]) -> f64 {
    let mut seconds: Vec<f64> = costs.iter().map(|cost| cost.cpu_seconds).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn rows() -> String {
    format!(
        "SELECT CAST(repeat('x', {DATA_BYTES}) AS BYTEA) AS data,
                CAST(value % 100000 AS VARCHAR) AS \"partitionKey\" FROM generate_series(1, {ROWS})"
    )
}

fn table() -> String {
    format!(
        "CREATE EXTERNAL TABLE out STORED AS \"aws-kinesis\" LOCATION 'out'
         OPTIONS ('kinesis.createStream' 'true', 'kinesis.shardCount' '{SHARDS}');"
    )
}

fn command(program: &str, server: &Server, statements: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--endpoint-url", &server.url, "--region", "us-east-1"])
        .args(["-c", statements])
        .env("AWS_ACCESS_KEY_ID", "bench")
        .env("AWS_SECRET_ACCESS_KEY", "bench")
        .stderr(std::process::Stdio::null());
    command
}

async fn create(server: &Server) {
    let create = server.client().create_stream().stream_name("out");
    let created = create.shard_count(SHARDS).send().await;
    created.expect("the stream is created");
}

/// Hashes and sends as many bytes as the rows need. A request has one aggregated record per shard.
async fn hash_and_send(url: &str, stream: &str) {
    let shards = usize::try_from(SHARDS).expect("few shards");
    let record = vec![b'x'; AGGREGATE_BYTES];
    let entries = (0..shards).map(|shard| {
        let data = base64_simd::STANDARD.encode_to_string(&record);
        format!("{{\"Data\":\"{data}\",\"PartitionKey\":\"{shard}\"}}")
    });
    let entries: Vec<String> = entries.collect();
    let body = format!(
        "{{\"StreamName\":\"{stream}\",\"Records\":[{}]}}",
        entries.join(",")
    );
    let body = Bytes::from(body);
    let address = url.trim_start_matches("http://");
    let connection = TcpStream::connect(address).await.expect("a connection");
    let (mut sender, serving) = handshake(TokioIo::new(connection))
        .await
        .expect("a connection");
    let serving = tokio::spawn(serving);
    let rows_per_request = AGGREGATE_BYTES / ROW_BYTES * shards;
    let mut row = 0;
    while row < ROWS {
        for row in row..row + rows_per_request {
            std::hint::black_box(Md5::digest((row % 100_000).to_string()));
        }
        for _ in 0..shards {
            std::hint::black_box(Md5::digest(&record));
        }
        row += rows_per_request;
        let request = signed(address, body.clone());
        sender.ready().await.expect("an open connection");
        let answer = sender.send_request(request).await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        answer.into_body().collect().await.expect("a body");
    }
    drop(sender);
    serving.abort();
}

fn signed(address: &str, body: Bytes) -> Request<Full<Bytes>> {
    let credentials = Credentials::new("bench", "bench", None, None, "bench");
    let identity = Identity::from(credentials);
    let now = u64::try_from(SystemClock.now().0).expect("it is after 1970");
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("kinesis")
        .time(UNIX_EPOCH + Duration::from_millis(now))
        .settings(SigningSettings::default())
        .build()
        .expect("all parameters are set")
        .into();
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "Kinesis_20131202.PutRecords"),
    ];
    let url = format!("http://{address}/");
    let signable = SignableBody::Bytes(&body);
    let signable = SignableRequest::new("POST", url, headers.into_iter(), signable);
    let signed = sign(signable.expect("a valid request"), &params).expect("a signature");
    let mut request = Request::post("/").header("host", address);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let (signature, _) = signed.into_parts().0.into_parts();
    for header in &signature {
        request = request.header(header.name(), header.value());
    }
    request.body(Full::new(body)).expect("a valid request")
}
