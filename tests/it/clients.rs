//! Other clients of Kinesis use the embedded server, each with its default settings, over HTTP and HTTPS.
//!
//! `.ci/run` fetches them into `target`. A test whose client is missing reports that it was skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64_simd::STANDARD;
use datafusion_kinesis::kinesis::{
    EmbeddedServer, FaultPlan, FaultRates, InMemoryKinesis, InMemoryOptions, Operation,
};
use datafusion_kinesis::model::SystemClock;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::process::folder;
use crate::support::{ROOT, skipped};

/// Servers for one test.
struct Servers {
    plain: EmbeddedServer,
    tls: EmbeddedServer,
    /// Its iterators have always expired, its shards are always throttled, and its batches fail.
    faulty: EmbeddedServer,
    certificate: PathBuf,
    _runtime: Runtime,
}

impl Servers {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let kinesis = |faults| {
            let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
            kinesis.set_faults(faults);
            Arc::new(kinesis)
        };
        let (calm, rates) = (FaultPlan::default(), FaultRates::default());
        let faults = FaultPlan::default()
            .with(Operation::GetRecords, rates.with_expired_iterator(1.0))
            .with(Operation::PutRecord, rates.with_throttled(1.0))
            .with(Operation::PutRecords, rates.with_failed_entry(1.0));
        let address = "127.0.0.1:0";
        let starting = async {
            let plain = EmbeddedServer::bind(address, kinesis(calm.clone())).await;
            let tls = EmbeddedServer::bind_with_tls(address, kinesis(calm)).await;
            let faulty = EmbeddedServer::bind(address, kinesis(faults)).await;
            (plain.unwrap(), tls.unwrap(), faulty.unwrap())
        };
        let (plain, tls, faulty) = runtime.block_on(starting);
        let certificate = folder("clients").join("kinesis.pem");
        fs::write(&certificate, tls.certificate().unwrap()).unwrap();
        Self {
            plain,
            tls,
            faulty,
            certificate,
            _runtime: runtime,
        }
    }

    fn endpoints(&self) -> [String; 2] {
        [&self.plain, &self.tls].map(EmbeddedServer::endpoint_url)
    }

    /// Makes a client use the servers at `endpoints`, with streams whose names begin with `stream`.
    fn pass(&self, client: &mut Command, stream: &str, endpoints: &[String]) {
        client
            .args([stream, &self.faulty.endpoint_url()])
            .args(endpoints)
            .env("AWS_CA_BUNDLE", &self.certificate)
            .env("NODE_EXTRA_CA_CERTS", &self.certificate);
        assert_eq!(run(client).trim(), "passed");
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.certificate.parent().unwrap());
    }
}

/// Returns what a command printed, which must succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{errors}");
    said.into_owned()
}

/// Whether a command succeeds.
fn runs(program: &str, arguments: &[&str]) -> bool {
    let probe = Command::new(program).args(arguments).output();
    probe.is_ok_and(|output| output.status.success())
}

fn script(name: &str) -> PathBuf {
    Path::new(ROOT).join("tests/it/clients").join(name)
}

/// Where `.ci/run` puts a client.
fn fetched(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join(name)
}

#[test]
fn the_sdk_for_javascript_uses_each_operation() {
    const TEST: &str = "the_sdk_for_javascript_uses_each_operation";
    let packages = fetched("ci-node");
    let package = packages.join("node_modules/@aws-sdk/client-kinesis");
    if !package.exists() {
        return skipped(TEST, &format!("there is no {}", package.display()));
    }
    if !runs("node", &["--version"]) {
        return skipped(TEST, "there is no node");
    }
    let servers = Servers::start();
    for (number, endpoint) in servers.endpoints().into_iter().enumerate() {
        let mut node = Command::new("node");
        node.arg(script("round.mjs")).arg(&packages);
        servers.pass(&mut node, &format!("round-{number}"), &[endpoint]);
    }
}

#[test]
fn boto3_uses_each_operation() {
    if !runs("python3", &["-c", "import boto3"]) {
        return skipped("boto3_uses_each_operation", "python3 cannot import boto3");
    }
    let servers = Servers::start();
    for (number, endpoint) in servers.endpoints().into_iter().enumerate() {
        let mut python = Command::new("python3");
        python.arg(script("round.py"));
        servers.pass(&mut python, &format!("round-{number}"), &[endpoint]);
    }
}

#[test]
fn the_aws_cli_writes_reads_and_says_errors() {
    if !runs("aws", &["--version"]) {
        return skipped(
            "the_aws_cli_writes_reads_and_says_errors",
            "there is no aws",
        );
    }
    let servers = Servers::start();
    let payload = servers.certificate.with_extension("payload");
    fs::write(&payload, (0..=255).collect::<Vec<u8>>()).unwrap();
    let payload = format!("fileb://{}", payload.display());
    let endpoint = servers.tls.endpoint_url();
    let kinesis = |arguments: &[&str]| {
        let mut aws = Command::new("aws");
        aws.args(["--endpoint-url", &endpoint, "--output", "json", "kinesis"])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_CA_BUNDLE", &servers.certificate);
        aws
    };
    let answer = |arguments: &[&str]| -> Value {
        serde_json::from_str(&run(&mut kinesis(arguments))).unwrap()
    };
    let stream = ["--stream-name", "words"];
    run(kinesis(&["create-stream", "--shard-count", "2"]).args(stream));
    run(kinesis(&["wait", "stream-exists"]).args(stream));
    let put = ["put-record", "--partition-key", "Größe", "--data", &payload];
    let put = answer(&[&put[..], &stream].concat());
    let shard = put["ShardId"].as_str().unwrap();
    let place = [
        "get-shard-iterator",
        "--shard-iterator-type",
        "AT_TIMESTAMP",
    ];
    let since = ["--timestamp", "2020-01-01T00:00:00Z", "--shard-id", shard];
    let place = answer(&[&place[..], &since, &stream].concat());
    let place = place["ShardIterator"].as_str().unwrap();
    let page = answer(&["get-records", "--shard-iterator", place]);
    let record = &page["Records"][0];
    assert_eq!(record["PartitionKey"], "Größe");
    assert_eq!(record["SequenceNumber"], put["SequenceNumber"]);
    let data = STANDARD.decode_to_vec(record["Data"].as_str().unwrap());
    assert_eq!(data.unwrap(), (0..=255).collect::<Vec<u8>>());

    let missing = ["describe-stream-summary", "--stream-name", "missing"];
    let refused = kinesis(&missing).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(said.contains("ResourceNotFoundException"), "{said}");
    run(kinesis(&["delete-stream"]).args(stream));
}

#[test]
fn the_sdk_for_java_uses_each_operation_in_cbor_and_json() {
    const TEST: &str = "the_sdk_for_java_uses_each_operation_in_cbor_and_json";
    let jars = fetched("ci-java");
    if !jars.exists() {
        return skipped(TEST, &format!("there is no {}", jars.display()));
    }
    if !runs("keytool", &["-help"]) || !runs("java", &["--list-modules"]) {
        return skipped(TEST, "there is no Java");
    }
    let servers = Servers::start();
    let trusted = servers.certificate.with_extension("p12");
    run(Command::new("keytool")
        .args([
            "-importcert",
            "-noprompt",
            "-storepass",
            "changeit",
            "-file",
        ])
        .arg(&servers.certificate)
        .arg("-keystore")
        .arg(&trusted));
    for cbor in [true, false] {
        let mut java = Command::new("java");
        java.arg("-cp")
            .arg(jars.join("*"))
            .arg(format!("-Daws.cborEnabled={cbor}"))
            .arg(format!("-Djavax.net.ssl.trustStore={}", trusted.display()))
            .arg("-Djavax.net.ssl.trustStorePassword=changeit")
            .arg(script("Round.java"));
        servers.pass(&mut java, &format!("cbor-{cbor}"), &servers.endpoints());
    }
}
