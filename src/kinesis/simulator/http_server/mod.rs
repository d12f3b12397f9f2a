//! An HTTP server for the simulator, for AWS SDKs, boto3 and the AWS CLI on loopback.

mod body;
mod cbor;
mod connection;
mod error_response;
mod event_stream;
mod handlers;
mod http;
mod request;
mod tls;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::InMemoryKinesis;
use tls::OwnCertificate;

/// An [`InMemoryKinesis`] behind the AWS JSON 1.1 and CBOR 1.1 protocols over HTTP/1.1 and
/// HTTP/2, for clients that begin with it.
///
/// It supports all API operations on streams, consumers and accounts, but not those for queues and
/// channels, which fail with `UnknownOperationException`. Every operation accepts a
/// stream name or ARN where the API does, and `DryRun` works where the API has it. Settings that
/// have no effect in a simulator are stored and returned: tags, encryption, monitoring, policies,
/// warm throughput. SubscribeToShard answers with an event stream, over both versions of HTTP.
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
    /// The certificate in PEM, if it serves TLS.
    certificate: Option<String>,
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
        Self::listen(address, kinesis, None).await
    }

    /// As [`bind`](Self::bind), over TLS, with a new key and [certificate](Self::certificate) for `localhost` and
    /// the loopback addresses.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), or the system has no random numbers.
    pub async fn bind_with_tls(
        address: impl ToSocketAddrs,
        kinesis: Arc<InMemoryKinesis>,
    ) -> io::Result<Self> {
        Self::listen(address, kinesis, Some(OwnCertificate::new()?)).await
    }

    async fn listen(
        address: impl ToSocketAddrs,
        kinesis: Arc<InMemoryKinesis>,
        certificate: Option<OwnCertificate>,
    ) -> io::Result<Self> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        let listener = TcpListener::bind(&addresses[..]).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let (acceptor, certificate) = certificate.map(|own| (own.acceptor, own.pem)).unzip();
        Ok(Self {
            address,
            certificate,
            stop,
            accepting: AbortOnDrop(tokio::spawn(accept(listener, acceptor, kinesis, stopped))),
        })
    }

    /// The certificate in PEM, for clients to trust; `None` without TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint URL for clients, `http://<address>:<port>`, or `https://…` with TLS.
    pub fn endpoint_url(&self) -> String {
        match self.certificate {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://{}", self.address),
        }
    }

    /// Stops accepting connections, completes the requests in flight, ends subscriptions, and ends.
    /// Dropping the server aborts them instead.
    pub async fn shutdown(mut self) {
        // Sending fails only if the task has already ended.
        let _ = self.stop.send(true);
        if let Err(error) = (&mut self.accepting.0).await {
            tracing::debug!(%error, "embedded server task failed");
        }
    }
}

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
    tls: Option<TlsAcceptor>,
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
                let serving = connection::serve(connection, tls.clone(), kinesis, stopped.clone());
                connections.spawn(serving);
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
