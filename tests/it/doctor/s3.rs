//! Checks of a checkpoint on S3 with credentials from a profile.

#[path = "../../../src/checkpoint/tests/s3/bucket.rs"]
mod bucket;

use std::fs;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};

use super::Fixture;
use bucket::Bucket;

const KEY_ID: &str = "AKIDLOOPBACK";
const SECRET: &str = "hush";

/// Serves the bucket `bucket` with signature checks for this key until the test ends. Returns the
/// URL.
pub(crate) async fn served(key_id: &str, secret: &str) -> String {
    served_with(key_id, secret, Bucket::default()).await
}

async fn served_with(key_id: &str, secret: &str, bucket: Bucket) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut service = S3ServiceBuilder::new(bucket);
    service.set_auth(SimpleAuth::from_single(key_id, secret));
    let service = service.build();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, service.clone()));
        }
    });
    format!("http://{address}")
}

async fn serve(connection: TcpStream, service: S3Service) {
    let answer = service_fn(async |request: hyper::Request<hyper::body::Incoming>| {
        service.call(request.map(s3s::Body::from)).await
    });
    // Ends when the client disconnects.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(connection), answer)
        .await;
}

/// A fixture whose environment points to the server and has a profile with `secret`.
async fn fixture(name: &str, secret: &str) -> Fixture {
    let mut fixture = Fixture::new(name).await;
    let file = fixture.folder.join("credentials");
    let keys = format!("aws_access_key_id = {KEY_ID}\naws_secret_access_key = {secret}");
    fs::write(&file, format!("[default]\n{keys}\n")).unwrap();
    let file = file.to_str().unwrap().to_owned();
    fixture.environment = vec![
        ("AWS_SHARED_CREDENTIALS_FILE", file),
        ("AWS_ENDPOINT", served(KEY_ID, SECRET).await),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
    ];
    fixture
}

const STATEMENTS: &str = "SET streaming.checkpoint_location = 's3://bucket/words'";

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_on_s3_uses_the_credentials_of_a_profile() {
    let fixture = fixture("s3", SECRET).await;
    let (said, code) = fixture.doctor(STATEMENTS);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("✓ location"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_and_missing_s3_credentials_are_found() {
    let mut fixture = fixture("s3-refused", "other").await;
    let problem = super::problem(&fixture, STATEMENTS);
    assert!(
        problem.contains("access is denied") && problem.contains("s3:PutObject"),
        "{problem}"
    );
    fixture
        .environment
        .retain(|(name, _)| *name != "AWS_SHARED_CREDENTIALS_FILE");
    let problem = super::problem(&fixture, STATEMENTS);
    assert!(
        problem.contains("access is denied") && problem.contains("profile: "),
        "{problem}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_without_conditional_writes_is_found() {
    let mut fixture = fixture("s3-overwriting", SECRET).await;
    let endpoint = served_with(KEY_ID, SECRET, Bucket::overwriting()).await;
    for (name, value) in &mut fixture.environment {
        if *name == "AWS_ENDPOINT" {
            value.clone_from(&endpoint);
        }
    }
    let problem = super::problem(&fixture, STATEMENTS);
    assert!(problem.contains("If-None-Match"), "{problem}");
}
