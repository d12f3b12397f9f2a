//! The embedded server over HTTP/2 and TLS.

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use datafusion_kinesis::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions};
use datafusion_kinesis::model::SystemClock;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::process::{Server, csv};
use crate::support::folder;

fn kinesis() -> Arc<InMemoryKinesis> {
    let options = InMemoryOptions::default();
    Arc::new(InMemoryKinesis::new(Arc::new(SystemClock), options))
}

fn request(operation: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("http://localhost/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
        .body(Full::new(body.into()))
        .unwrap()
}

#[tokio::test]
async fn clients_that_begin_with_http2_are_served() {
    let server = EmbeddedServer::bind("127.0.0.1:0", kinesis())
        .await
        .unwrap();
    let connection = TcpStream::connect(server.local_addr()).await.unwrap();
    is_served_over_http2(server, connection).await;
}

/// The AWS SDK for Java does so in its asynchronous client.
#[tokio::test]
async fn clients_that_begin_with_http2_in_tls_without_negotiating_are_served() {
    let server = EmbeddedServer::bind_with_tls("127.0.0.1:0", kinesis())
        .await
        .unwrap();
    let connection = encrypted(&server).await;
    is_served_over_http2(server, connection).await;
}

#[tokio::test]
async fn clients_that_begin_with_http1_in_tls_without_negotiating_are_served() {
    let server = EmbeddedServer::bind_with_tls("127.0.0.1:0", kinesis())
        .await
        .unwrap();
    let connection = encrypted(&server).await;
    let (mut sender, serving) = http1::handshake(TokioIo::new(connection)).await.unwrap();
    let serving = tokio::spawn(serving);
    let answer = sender.send_request(request("ListStreams", "{}")).await;
    assert_eq!(answer.unwrap().status(), 200);
    server.shutdown().await;
    serving.await.unwrap().unwrap();
}

/// A connection to a server with TLS, by a client that names no protocol.
async fn encrypted(server: &EmbeddedServer) -> TlsStream<TcpStream> {
    let certificate = CertificateDer::from_pem_slice(server.certificate().unwrap().as_bytes());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = TcpStream::connect(server.local_addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    connector.connect(name, connection).await.unwrap()
}

async fn is_served_over_http2(
    server: EmbeddedServer,
    connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(connection));
    let (mut sender, serving) = handshake.await.unwrap();
    let serving = tokio::spawn(serving);
    let mut send = async |request| {
        let answer = sender.send_request(request).await.unwrap();
        let (status, version) = (answer.status().as_u16(), answer.version());
        assert_eq!(version, Version::HTTP_2);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let (status, _) = send(request(
        "CreateStream",
        r#"{"StreamName":"s","ShardCount":1}"#,
    ))
    .await;
    assert_eq!(status, 200);
    // Larger than the window with which a connection begins.
    let data = base64_simd::STANDARD.encode_to_string(vec![7_u8; 1_000_000]);
    let put = format!(r#"{{"StreamName":"s","Data":"{data}","PartitionKey":"k"}}"#);
    let (status, answer) = send(request("PutRecord", put)).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = send(request("PutWords", "{}")).await;
    assert!(status == 400 && answer.contains("UnknownOperationException"));
    // A client that is still connected does not keep the server.
    server.shutdown().await;
    drop(sender);
    serving.await.unwrap().unwrap();
}

#[test]
fn the_command_serves_tls_with_a_certificate_of_its_own() {
    let folder = folder("own-certificate");
    fs::create_dir_all(&folder).unwrap();
    let certificate = folder.join("kinesis.pem");
    let server = Server::start_with(&["--tls", certificate.to_str().unwrap()]);
    assert!(
        server.url.starts_with("https://127.0.0.1:"),
        "{}",
        server.url
    );
    assert!(
        fs::read_to_string(&certificate)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE")
    );
    let statements = "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'
        OPTIONS ('kinesis.createStream' 'true');
        INSERT INTO words (partitionKey, data) VALUES ('a', 'hello');
        SELECT CAST(data AS VARCHAR) AS word FROM words";
    let run = |bundle: Option<&str>| {
        let mut client = server.client();
        client.args(["--output", "csv", "-c", statements]);
        if let Some(bundle) = bundle {
            client.env("AWS_CA_BUNDLE", bundle);
        }
        client.output().unwrap()
    };
    let trusted = run(certificate.to_str());
    let said = String::from_utf8_lossy(&trusted.stdout);
    assert!(
        said.contains("word\nhello"),
        "{said}{}",
        String::from_utf8_lossy(&trusted.stderr)
    );
    let refused = run(None);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("not trusted"),
        "{said}"
    );
    // Without TLS nothing has changed.
    let plain = Server::start();
    assert!(csv(&plain.url, "SELECT 1 AS one").contains("one\n1"));
    fs::remove_dir_all(folder).unwrap();
}
