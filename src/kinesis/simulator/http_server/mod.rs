//! The simulator behind HTTP: what the AWS SDKs, boto3 and the AWS CLI can talk to on loopback.

mod error_response;
mod handlers;
mod http;
mod request;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::InMemoryKinesis;

/// An [`InMemoryKinesis`] that answers the AWS JSON 1.1 protocol over HTTP/1.1.
///
/// It serves all operations of the API on streams and the account but those of enhanced fan-out and of
/// queues and channels, which are an `UnknownOperationException`. A stream is taken by name or by ARN
/// everywhere, and `DryRun` by the calls that have it. What can be set and means nothing to a simulator
/// is kept and shown again: tags, encryption, monitoring, policies, warm throughput.
///
/// A stream lives in an account and a region, and those of others are apart. A name alone is looked for
/// in the region of the signature's credential scope and in the account `000000000000`, or the access
/// key id if that has twelve digits; [`InMemoryOptions`](super::InMemoryOptions) can fix both.
///
/// Signatures are not checked, and may be absent: it belongs on a loopback address. A connection ends
/// when no request comes for two minutes, or half of one and no more for half a minute.
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
    accepting: Aborting,
}

impl EmbeddedServer {
    /// Listens on `address` (port 0 takes a free one) and serves `kinesis` on the runtime of the
    /// caller until [`shutdown`](Self::shutdown) or drop.
    ///
    /// # Errors
    /// The address is taken, or not one of this machine.
    pub async fn bind(
        address: impl ToSocketAddrs,
        kinesis: Arc<InMemoryKinesis>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        Ok(Self {
            address,
            stop,
            accepting: Aborting(tokio::spawn(accept(listener, kinesis, stopped))),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What clients take as their endpoint, `http://<address>:<port>`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more connections, answers the requests under way, and ends. Dropping the server
    /// instead cuts them off.
    pub async fn shutdown(mut self) {
        // Nobody listens any more only if the task has ended already.
        let _ = self.stop.send(true);
        if let Err(error) = (&mut self.accepting.0).await {
            tracing::debug!(%error, "embedded server did not end by itself");
        }
    }
}

/// How long the head of a request may take to come, from the opening of the connection or the answer
/// before it: half a head is given up then, and so is an idle connection. The AWS SDK for Rust closes
/// idle connections after 90 seconds itself, so that it never sends a request into one that ends.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// How long to wait for file descriptors to be free again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A task that ends with its handle.
#[derive(Debug)]
struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
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
            // A connection that broke before it was taken, or no file descriptor is free: both pass.
            Err(error) => {
                tracing::warn!(%error, "embedded server could not take a connection");
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
        tracing::debug!(%error, "embedded server could not turn off Nagle's algorithm");
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
