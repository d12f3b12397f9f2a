//! An HTTP server for the simulator, for AWS SDKs, boto3 and the AWS CLI on loopback.

mod cbor;
mod error_response;
mod handlers;
mod http;
mod request;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::InMemoryKinesis;

/// An [`InMemoryKinesis`] behind the AWS JSON 1.1 and CBOR 1.1 protocols over HTTP/1.1.
///
/// It supports all API operations on streams and accounts, except those for enhanced fan-out,
/// queues and channels, which fail with `UnknownOperationException`. Every operation accepts a
/// stream name or ARN, and `DryRun` works where the API has it. Settings that have no effect in a
/// simulator are stored and returned: tags, encryption, monitoring, policies, warm throughput.
///
/// Streams belong to an account and region, and different ones are independent. A bare stream name
/// is looked up in the region of the signature's credential scope and in account `000000000000`, or
/// in the account given as the access key id if that has twelve digits;
/// [`InMemoryOptions`](super::InMemoryOptions) can fix both.
///
/// Signatures are optional and not checked, so bind it to a loopback address. A connection is
/// closed after two minutes without a request, or half a minute without progress of a request body.
///
/// ```
/// # use std::sync::Arc;
/// # use datafusion_kinesis::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions};
/// # use datafusion_kinesis::model::SystemClock;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
/// let server = EmbeddedServer::bind("127.0.0.1:0", Arc::new(kinesis)).await?;
/// println!("kinesis.endpointUrl = {}", server.endpoint_url());
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EmbeddedServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: AbortOnDrop,
}

impl EmbeddedServer {
    /// Listens on `address` (port 0 picks a free port) and serves `kinesis` on the caller's runtime
    /// until [`shutdown`](Self::shutdown) or drop.
    ///
    /// # Errors
    /// The address is in use or not local.
    pub async fn bind(
        address: impl ToSocketAddrs,
        kinesis: Arc<InMemoryKinesis>,
    ) -> io::Result<Self> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        let listener = TcpListener::bind(&addresses[..]).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        Ok(Self {
            address,
            stop,
            accepting: AbortOnDrop(tokio::spawn(accept(listener, kinesis, stopped))),
        })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint URL for clients, `http://<address>:<port>`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting connections, completes the requests in flight, and ends. Dropping the server
    /// aborts them instead.
    pub async fn shutdown(mut self) {
        // Sending fails only if the task has already ended.
        let _ = self.stop.send(true);
        if let Err(error) = (&mut self.accepting.0).await {
            tracing::debug!(%error, "embedded server task failed");
        }
    }
}

/// How long a request's head may take, from the opening of the connection or the previous response.
/// A partial head or an idle connection is closed after that. The AWS SDK for Rust closes idle
/// connections after 90 seconds, so it never sends a request on a connection that is being closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// The pause before accepting again, for file descriptors to become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A task that is aborted when this handle is dropped.
#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(
    listener: TcpListener,
    kinesis: Arc<InMemoryKinesis>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((connection, _)) => {
                let kinesis = Arc::clone(&kinesis);
                connections.spawn(serve(connection, kinesis, stopped.clone()));
            }
            // Transient errors: the connection broke before it was accepted, or no file descriptor
            // is free.
            Err(error) => {
                tracing::warn!(%error, "embedded server could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(
    connection: TcpStream,
    kinesis: Arc<InMemoryKinesis>,
    mut stopped: watch::Receiver<bool>,
) {
    if let Err(error) = connection.set_nodelay(true) {
        tracing::debug!(%error, "embedded server could not disable Nagle's algorithm");
    }
    let service = service_fn(|request| http::respond(&kinesis, request));
    let serving = http1::Builder::new()
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(connection), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        _ = stopped.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
}
