//! A network with proxies, and servers with certificates of a private authority. Requests use the
//! proxies, and permanent failures are reported at once.

mod certificates;
mod options;
mod proxies;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};

use datafusion_kinesis::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions};
use datafusion_kinesis::model::SystemClock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::process::command;
use crate::support::ROOT;

/// The certificate of the private authority.
pub(crate) fn authority() -> PathBuf {
    PathBuf::from(ROOT).join("tests/data/tls/ca.pem")
}

/// A task that is aborted on drop.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A server that terminates TLS and forwards the rest. Its certificate is for `*.corp.invalid` and
/// `localhost`.
#[derive(Debug)]
pub(crate) struct TlsFront {
    pub(crate) address: SocketAddr,
    _accepting: Task,
}

impl TlsFront {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("../data/tls/server.pem"));
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../data/tls/server.key"));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.unwrap()], key.unwrap());
        let tls = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    // A client that does not trust the certificate closes the connection.
                    let mut connection = tls.accept(connection).await?;
                    let mut upstream = TcpStream::connect(upstream).await?;
                    copy_bidirectional(&mut connection, &mut upstream).await
                });
            }
        });
        Self {
            address,
            _accepting: Task(accepting),
        }
    }
}

/// A proxy; only it can resolve the hosts.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _accepting: Task,
}

#[derive(Debug)]
struct Rules {
    hosts: BTreeMap<String, SocketAddr>,
    /// The required `Proxy-Authorization` header.
    login: Option<&'static str>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn to<const N: usize>(hosts: [(&str, SocketAddr); N]) -> Self {
        Self::asking(hosts, None).await
    }

    pub(crate) async fn asking<const N: usize>(
        hosts: [(&str, SocketAddr); N],
        login: Option<&'static str>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let hosts = hosts.map(|(host, address)| (host.to_owned(), address));
        let rules = Arc::new(Rules {
            hosts: hosts.into(),
            login,
            seen: Arc::clone(&seen),
        });
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(pass(connection, Arc::clone(&rules)));
            }
        });
        Self {
            address,
            seen,
            _accepting: Task(accepting),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first line of each connection, in order.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Forwards one connection, with `CONNECT` or an absolute URL.
async fn pass(mut client: TcpStream, rules: Arc<Rules>) -> io::Result<()> {
    let head = read_head(&mut client).await?;
    let line = head.lines().next().unwrap_or("").to_owned();
    rules.seen.lock().unwrap().push(line.clone());
    if let Some(login) = rules.login
        && !head.contains(&format!("{login}\r\n"))
    {
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        return client.write_all(answer.as_bytes()).await;
    }
    let target = line.split(' ').nth(1).unwrap_or("");
    let host = target.trim_start_matches("http://");
    let host = host.split(['/', ':']).next().unwrap_or("");
    let Some(address) = rules.hosts.get(host) else {
        return client
            .write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            .await;
    };
    let mut upstream = TcpStream::connect(address).await?;
    match line.starts_with("CONNECT ") {
        true => client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?,
        false => upstream.write_all(head.as_bytes()).await?,
    }
    passed(&mut client, &mut upstream).await
}

async fn passed(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    upstream: &mut TcpStream,
) -> io::Result<()> {
    copy_bidirectional(client, upstream).await.map(drop)
}

async fn read_head(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// An embedded simulator.
async fn simulator() -> EmbeddedServer {
    let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
    EmbeddedServer::bind("127.0.0.1:0", Arc::new(kinesis))
        .await
        .unwrap()
}

const WRITE_AND_READ: &str = "INSERT INTO t (partitionKey, data) VALUES ('a', 'b'); \
    SELECT CAST(data AS VARCHAR) AS text FROM t";

/// Creates a table with further options and runs statements at `endpoint` in this environment.
fn run(endpoint: &str, options: &str, environment: &[(&str, &str)]) -> Output {
    let statements = format!(
        "CREATE EXTERNAL TABLE t STORED AS \"aws-kinesis\" LOCATION 't' \
         OPTIONS ('kinesis.createStream' 'true'{options}); {WRITE_AND_READ}"
    );
    command()
        .args(["--endpoint-url", endpoint, "--region", "us-east-1"])
        .args(["--allow-http", "--output", "csv", "-c", &statements])
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// The output of a run that must succeed.
fn printed(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The error output of a run that must fail.
fn error_output(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}
