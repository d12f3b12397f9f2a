//! A server in its own process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// The built command.
pub(crate) const COMMAND: &str = env!("CARGO_BIN_EXE_kinesis-sql");

/// `kinesis-sql embedded` on a free port, killed on drop.
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

    /// The SDK with its default retries.
    pub(crate) fn client(&self) -> Client {
        client_of(&self.url)
    }
}

/// The SDK with its default retries.
pub(crate) fn client_of(url: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .endpoint_url(url);
    Client::from_conf(config.build())
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
