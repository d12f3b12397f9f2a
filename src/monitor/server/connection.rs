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
use tokio::sync::{Notify, watch};
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
    let answered = Arc::new(Notify::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if open.has_place() => accepted,
            Some(_) = connections.join_next() => continue,
            () = answered.notified() => continue,
            // No value is ever sent: this is the end of the server.
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((connection, _)) => {
                let activity = Activity {
                    has_request: Arc::default(),
                    answered: Arc::clone(&answered),
                };
                let marked = from_fn_with_state(activity.clone(), mark);
                let router = router.clone().layer(marked);
                let task = connections.spawn(serve(connection, router));
                open.add(task, activity.has_request);
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

/// What a connection is doing.
#[derive(Debug, Clone)]
struct Activity {
    has_request: Arc<AtomicBool>,
    /// A request of any connection was answered.
    answered: Arc<Notify>,
}

/// Marks a connection while it has a request.
async fn mark(State(activity): State<Activity>, request: Request, next: Next) -> Response {
    activity.has_request.store(true, Ordering::Relaxed);
    let response = next.run(request).await;
    activity.has_request.store(false, Ordering::Relaxed);
    activity.answered.notify_one();
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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Semaphore, mpsc};

    use super::*;

    const BODY: &[u8] = b"done";

    async fn ask(connection: &mut TcpStream) {
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        connection.write_all(request).await.unwrap();
    }

    /// Reads an answer; the connection stays open.
    async fn answer(connection: &mut TcpStream) {
        let mut answer = Vec::new();
        while !answer.ends_with(BODY) {
            answer.push(connection.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
    }

    #[tokio::test]
    async fn an_answered_request_makes_room_for_another_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (arrived, mut arrivals) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let held = Arc::clone(&gate);
        let wait = move || {
            let (held, arrived) = (Arc::clone(&held), arrived.clone());
            async move {
                arrived.send(()).unwrap();
                held.acquire().await.unwrap().forget();
                BODY
            }
        };
        let (stop, stopped) = watch::channel(());
        let router = Router::new().route("/", get(wait));
        let server = tokio::spawn(accept(listener, router, stopped));
        let mut open = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let mut connection = TcpStream::connect(address).await.unwrap();
            ask(&mut connection).await;
            arrivals.recv().await.unwrap();
            open.push(connection);
        }
        let mut further = TcpStream::connect(address).await.unwrap();
        ask(&mut further).await;
        gate.add_permits(MAX_CONNECTIONS + 2);
        answer(&mut further).await;
        // The newest one was not closed for that.
        let newest = open.last_mut().unwrap();
        answer(newest).await;
        ask(newest).await;
        answer(newest).await;
        drop(stop);
        server.await.unwrap();
    }
}
