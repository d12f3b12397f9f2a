//! Connections: how many, how long, and how large their requests may be.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How many connections are served at once; others wait to be accepted.
const MAX_CONNECTIONS: usize = 64;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept for further requests.
const KEPT: Duration = Duration::from_secs(60);

/// How long a client may take after that to receive the last answer.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// The longest head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// The pause before accepting again, for file descriptors to become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves connections until `stopped` closes.
pub(super) async fn accept(
    listener: std::net::TcpListener,
    router: Router,
    mut stopped: watch::Receiver<()>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "the status page cannot be served");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            Some(_) = connections.join_next() => continue,
            // No value is ever sent: this is the end of the server.
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((connection, _)) => {
                let router = router.clone();
                connections.spawn(async move {
                    serve(connection, router).await;
                    drop(place);
                });
            }
            // The connection broke before it was accepted, or no file descriptor is free.
            Err(error) => {
                tracing::warn!(%error, "the status page could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(connection: TcpStream, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    let service = TowerToHyperService::new(router);
    let serving = http.serve_connection(TokioIo::new(connection), service);
    let mut serving = std::pin::pin!(serving);
    let ended = match timeout(KEPT, serving.as_mut()).await {
        Ok(ended) => ended,
        Err(_) => {
            serving.as_mut().graceful_shutdown();
            match timeout(LAST_ANSWER, serving).await {
                Ok(ended) => ended,
                // Too slow: dropped.
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection of the status page ended");
    }
}
