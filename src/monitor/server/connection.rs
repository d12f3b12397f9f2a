//! Connections: how many, how long, and how large their requests may be.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// How many connections are served at once. A further one takes the place of the oldest one without a request, so that
/// clients that send nothing keep nobody out; if all have one, it waits to be accepted.
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
    let mut connections = JoinSet::new();
    let mut open = OpenConnections::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if open.has_place() => accepted,
            Some(_) = connections.join_next() => continue,
            // No value is ever sent: this is the end of the server.
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((connection, _)) => {
                let has_request = Arc::<AtomicBool>::default();
                let marked = from_fn_with_state(Arc::clone(&has_request), mark);
                let router = router.clone().layer(marked);
                let task = connections.spawn(serve(connection, router));
                open.add(task, has_request);
            }
            // The connection broke before it was accepted, or no file descriptor is free.
            Err(error) => {
                tracing::warn!(%error, "the status page could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The open connections, oldest first, each with whether a request of it is being answered.
#[derive(Default)]
struct OpenConnections(VecDeque<(AbortHandle, Arc<AtomicBool>)>);

impl OpenConnections {
    /// Whether another connection can be accepted.
    fn has_place(&mut self) -> bool {
        self.0.retain(|(task, _)| !task.is_finished());
        self.0.len() < MAX_CONNECTIONS || self.oldest_without_request().is_some()
    }

    fn add(&mut self, task: AbortHandle, has_request: Arc<AtomicBool>) {
        if self.0.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.oldest_without_request()
            && let Some((task, _)) = self.0.remove(oldest)
        {
            task.abort();
        }
        self.0.push_back((task, has_request));
    }

    fn oldest_without_request(&self) -> Option<usize> {
        let mut open = self.0.iter();
        open.position(|(_, has_request)| !has_request.load(Ordering::Relaxed))
    }
}

/// Marks a connection while it has a request.
async fn mark(
    State(has_request): State<Arc<AtomicBool>>,
    request: Request,
    next: Next,
) -> Response {
    has_request.store(true, Ordering::Relaxed);
    let response = next.run(request).await;
    has_request.store(false, Ordering::Relaxed);
    response
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
