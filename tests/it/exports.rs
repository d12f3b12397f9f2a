//! The command sends metrics to CloudWatch and to receivers of OpenTelemetry, which run here on loopback.

#[cfg(feature = "cloudwatch")]
mod cloudwatch;
#[cfg(feature = "otlp")]
mod otlp;

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use crate::process::command;
use crate::registry_server::RegistryServer;

/// Writes three records, and reads them with a streaming query that ends by itself.
const STATEMENTS: &str = "\
    CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words' \
        OPTIONS ('kinesis.createStream' 'true', 'kinesis.sink.aggregationEnabled' 'false'); \
    INSERT INTO words (partitionKey, data) VALUES ('a', '1'), ('b', '2'), ('c', '3'); \
    CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'words' \
        OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON'); \
    SET streaming.trigger = 'available now'; \
    SET streaming.query_name = 'exported'; \
    SELECT partitionKey FROM live;";

/// A request that a receiver got: its path, its headers as `name: value`, and its body.
#[derive(Debug, Clone)]
struct Received {
    path: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// A receiver that answers with `status` and `answer`.
async fn receiver(
    status: u16,
    answer: &'static str,
) -> (RegistryServer, Arc<Mutex<Vec<Received>>>) {
    let received = Arc::<Mutex<Vec<Received>>>::default();
    let requests = Arc::clone(&received);
    let server = RegistryServer::start(move |head, body| {
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            format!("{name}: {value}")
        });
        requests.lock().unwrap().push(Received {
            path: head.uri.to_string(),
            headers: headers.collect(),
            body: body.to_vec(),
        });
        (status, answer.to_owned())
    });
    (server.await, received)
}

/// The command with the embedded Kinesis and further arguments.
fn embedded(arguments: &[&str]) -> Command {
    let mut run = command();
    run.args(["--embedded", "--region", "eu-west-1"])
        .args(arguments);
    run.env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "canary");
    run
}

/// Runs a command to its end without blocking the receiver.
async fn ended(mut command: Command) -> Output {
    let run = move || command.output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
