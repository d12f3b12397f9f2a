//! One connection: HTTP/1.1 or HTTP/2, with or without TLS.

use std::io::{self, Cursor};
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::http::respond;
use super::tls::{HTTP2, negotiated};
use crate::kinesis::InMemoryKinesis;

/// How long a request's head may take, from the opening of the connection or the previous response.
/// A partial head or an idle connection is closed after that. The AWS SDK for Rust closes idle
/// connections after 90 seconds, so it never sends a request on a connection that is being closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// The first bytes of a client that knows that the server speaks HTTP/2 (RFC 9113, 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI";

/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How much of a request body a client of HTTP/2 may send at once: a whole one of PutRecords.
const STREAM_WINDOW_BYTES: u32 = 16 << 20;

/// The version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// Serves a connection until it ends or `stopped` changes.
pub(super) async fn serve(
    connection: TcpStream,
    tls: Option<TlsAcceptor>,
    kinesis: Arc<InMemoryKinesis>,
    stopped: watch::Receiver<bool>,
) {
    if let Err(error) = connection.set_nodelay(true) {
        tracing::debug!(%error, "embedded server could not disable Nagle's algorithm");
    }
    let ended = match tls {
        None => by_first_bytes(connection, kinesis, stopped).await,
        Some(tls) => encrypted(connection, tls, kinesis, stopped).await,
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
}

async fn encrypted(
    connection: TcpStream,
    tls: TlsAcceptor,
    kinesis: Arc<InMemoryKinesis>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let connection = tokio::select! {
        accepted = timeout(HEAD_TIMEOUT, tls.accept(connection)) => accepted??,
        _ = stopped.changed() => return Ok(()),
    };
    let version = match negotiated(&connection) {
        Some(HTTP2) => Version::Http2,
        Some(_) => Version::Http1,
        // Clients that know that the server speaks HTTP/2 may begin with it without negotiating. The AWS SDK for
        // Java does so with Kinesis.
        None => return by_first_bytes(connection, kinesis, stopped).await,
    };
    exchange(TokioIo::new(connection), version, kinesis, stopped).await
}

/// Serves a client whose first bytes show the version.
async fn by_first_bytes(
    connection: impl AsyncRead + AsyncWrite + Send + 'static,
    kinesis: Arc<InMemoryKinesis>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let (mut reader, writer) = tokio::io::split(connection);
    let first = tokio::select! {
        first = timeout(HEAD_TIMEOUT, first_bytes(&mut reader)) => first??,
        _ = stopped.changed() => return Ok(()),
    };
    let version = match first.starts_with(HTTP2_PREFACE) {
        true => Version::Http2,
        false => Version::Http1,
    };
    let all = tokio::io::join(Cursor::new(first).chain(reader), writer);
    exchange(TokioIo::new(all), version, kinesis, stopped).await
}

/// The first bytes of a client, enough to show the version.
async fn first_bytes(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    while first.len() < HTTP2_PREFACE.len() && HTTP2_PREFACE.starts_with(&first) {
        if reader.read_buf(&mut first).await? == 0 {
            break;
        }
    }
    Ok(first)
}

async fn exchange(
    io: impl Read + Write + Unpin + Send + 'static,
    version: Version,
    kinesis: Arc<InMemoryKinesis>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let ends_answers = stopped.clone();
    let service = service_fn(move |request| {
        let (kinesis, stopped) = (Arc::clone(&kinesis), ends_answers.clone());
        async move { respond(&kinesis, request, stopped).await }
    });
    /// Serves until the connection ends; once stopped, until the requests in flight are answered.
    macro_rules! serve {
        ($connection:expr) => {{
            let mut serving = std::pin::pin!($connection);
            tokio::select! {
                ended = serving.as_mut() => ended,
                _ = stopped.changed() => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            }
        }};
    }
    let ended = match version {
        Version::Http1 => {
            let mut http = http1::Builder::new();
            http.half_close(true)
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT);
            serve!(http.serve_connection(io, service))
        }
        Version::Http2 => {
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new())
                .keep_alive_interval(PING_INTERVAL)
                .keep_alive_timeout(PING_TIMEOUT)
                .initial_stream_window_size(STREAM_WINDOW_BYTES)
                .initial_connection_window_size(STREAM_WINDOW_BYTES);
            serve!(http.serve_connection(io, service))
        }
    };
    ended.map_err(io::Error::other)
}
