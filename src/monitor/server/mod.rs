//! The status page, its API, metrics and probes over HTTP.

mod access;
mod api;
mod assets;
mod connection;
mod probes;
mod routes;

use std::fmt;
use std::io::{self, ErrorKind as IoErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use datafusion::prelude::SessionContext;
use tokio::sync::watch;

use self::access::Access;
use super::look::Look;
use crate::error::{Error, ErrorKind, Result};

/// How many ports after the first one are tried.
const OTHER_PORTS: u16 = 15;

/// The status page of a session's streaming queries, the same as JSON under `/api/v1/`, their [`Metrics`](super::Metrics) for Prometheus
/// under `/metrics`, and the probes `/health/live` and `/health/ready`.
///
/// It is served by a thread of its own, so a slow batch does not delay it, until it is dropped. While nobody looks,
/// it costs nothing.
///
/// ```
/// # use datafusion::prelude::SessionContext;
/// # use datafusion_kinesis::monitor::StatusServer;
/// # fn serve(ctx: &SessionContext) -> datafusion_kinesis::Result<()> {
/// let server = StatusServer::builder(ctx).bind("127.0.0.1:4040")?;
/// println!("status page on {}", server.url());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StatusServer {
    address: SocketAddr,
    /// The thread ends when this is dropped.
    _stop: watch::Sender<()>,
}

/// Builds a [`StatusServer`].
pub struct StatusServerBuilder {
    look: Look,
    token: Option<String>,
}

impl fmt::Debug for StatusServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusServerBuilder")
            .field("has_token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

impl StatusServer {
    /// Starts building the status page of the session of `ctx`. Metrics count batches of queries that start from now on.
    pub fn builder(ctx: &SessionContext) -> StatusServerBuilder {
        StatusServerBuilder {
            look: Look::new(ctx),
            token: None,
        }
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the page, `http://<address>:<port>/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl StatusServerBuilder {
    /// Requires this token: as `?token=…` in the first URL that a browser opens, or in the header
    /// `Authorization: Bearer …`. It has at least 16 of the characters `A-Z a-z 0-9 - . _ ~`.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Listens on `address`; port 0 picks a free one.
    ///
    /// # Errors
    /// [`InvalidOption`](ErrorKind::InvalidOption) for an address that other machines can reach without a
    /// [token](Self::with_token), or a token that is too short; [`Unavailable`](ErrorKind::Unavailable) if the address is
    /// in use or not local.
    pub fn bind(self, address: impl ToSocketAddrs) -> Result<StatusServer> {
        let addresses = address.to_socket_addrs();
        let addresses: Vec<SocketAddr> = addresses.map_err(|e| not_bound("", e))?.collect();
        let listener = TcpListener::bind(&addresses[..]);
        let named = addresses.first().map(ToString::to_string);
        let listener = listener.map_err(|e| not_bound(&named.unwrap_or_default(), e))?;
        self.serve(listener)
    }

    /// Listens on `address`, or, if that is in use, on one of the 15 ports after it.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_near(self, address: SocketAddr) -> Result<StatusServer> {
        let last = address.port().saturating_add(OTHER_PORTS);
        let mut address = address;
        loop {
            match TcpListener::bind(address) {
                Err(error) if error.kind() == IoErrorKind::AddrInUse && address.port() < last => {
                    address.set_port(address.port() + 1);
                }
                Err(error) => return Err(not_bound(&address.to_string(), error)),
                Ok(listener) => return self.serve(listener),
            }
        }
    }

    fn serve(self, listener: TcpListener) -> Result<StatusServer> {
        let address = listener.local_addr().map_err(|e| not_bound("", e))?;
        let access = Access::new(address, self.token)?;
        let failed = |error| not_bound(&address.to_string(), error);
        listener.set_nonblocking(true).map_err(failed)?;
        // The queries' runtime may be busy with a batch.
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().map_err(failed)?;
        let (stop, stopped) = watch::channel(());
        let router = routes::router(self.look, Arc::new(access));
        let serve = move || runtime.block_on(connection::accept(listener, router, stopped));
        let thread = thread::Builder::new().name("status-page".to_owned());
        thread.spawn(serve).map_err(failed)?;
        Ok(StatusServer {
            address,
            _stop: stop,
        })
    }
}

fn not_bound(address: &str, error: io::Error) -> Error {
    let message = format!("cannot serve the status page on '{address}': {error}");
    Error::new(ErrorKind::Unavailable, message).with_source(error)
}
