//! The embedded server as boto3 sees it: a client that shares no code with this crate.

use std::process::Stdio;
use std::sync::Arc;

use datafusion_kinesis::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions};
use datafusion_kinesis::model::SystemClock;
use tokio::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/boto3_client.py");

async fn has_boto3() -> bool {
    let mut python = Command::new("python3");
    let import = python.args(["-c", "import boto3"]).stderr(Stdio::null());
    import.status().await.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn boto3_writes_reshards_and_reads_to_the_end() {
    if !has_boto3().await {
        println!("skipped: python3 with boto3 is not installed");
        return;
    }
    let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
    let server = EmbeddedServer::bind("127.0.0.1:0", Arc::new(kinesis));
    let server = server.await.unwrap();
    let mut python = Command::new("python3");
    let script = python.arg(SCRIPT).arg(server.endpoint_url()).output();
    let output = script.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "100 records\n");
}
