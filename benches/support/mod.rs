//! A server in a process of its own, and streams on it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// The built command.
pub(crate) const COMMAND: &str = env!("CARGO_BIN_EXE_kinesis-sql");

/// `kinesis-sql embedded` on a free port; ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(COMMAND)
            .args(["embedded", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let stdout = process.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the server says where it listens");
        let url = line
            .split_whitespace()
            .last()
            .expect("the line ends in the URL");
        Self {
            url: url.to_owned(),
            process,
        }
    }

    /// The SDK as it comes, with its own retries.
    pub(crate) fn client(&self) -> Client {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
            .endpoint_url(&self.url);
        Client::from_conf(config.build())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A stream of `records` plain records of `data_bytes` each, spread evenly over `shards`.
pub(crate) async fn fill(
    client: &Client,
    stream: &str,
    shards: i32,
    records: usize,
    data_bytes: usize,
) {
    let create = client
        .create_stream()
        .stream_name(stream)
        .shard_count(shards);
    create.send().await.expect("the stream is created");
    let mut random = fastrand::Rng::with_seed(7);
    let per_request = (8 << 20) / (data_bytes + 20);
    let per_request = per_request.clamp(1, 500);
    let mut left = records;
    while left > 0 {
        let count = left.min(per_request);
        left -= count;
        let entries = (0..count).map(|_| {
            let data: Vec<u8> = (0..data_bytes).map(|_| random.u8(..)).collect();
            PutRecordsRequestEntry::builder()
                .data(Blob::new(data))
                .partition_key(random.u64(..).to_string())
                .build()
                .expect("an entry has data and a key")
        });
        let request = client.put_records().stream_name(stream);
        let request = request.set_records(Some(entries.collect()));
        let answer = request.send().await.expect("records are put");
        assert_eq!(answer.failed_record_count, Some(0));
    }
}
