//! A schema registry on loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type Respond = dyn Fn(&Parts, &[u8]) -> (u16, String) + Send + Sync;

/// Stops when dropped.
pub(crate) struct RegistryServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    respond: Mutex<Arc<Respond>>,
    /// The path and query of each request.
    requests: Mutex<Vec<String>>,
    /// A header of each answer.
    header: Mutex<Option<(&'static str, &'static str)>>,
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl RegistryServer {
    /// Answers each request with a status and a body.
    pub(crate) async fn start(
        respond: impl Fn(&Parts, &[u8]) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            respond: Mutex::new(Arc::new(respond)),
            requests: Mutex::default(),
            header: Mutex::default(),
        });
        Self {
            address: listener.local_addr().unwrap(),
            accepting: tokio::spawn(accept(listener, Arc::clone(&shared))),
            shared,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers further requests differently.
    pub(crate) fn change(
        &self,
        respond: impl Fn(&Parts, &[u8]) -> (u16, String) + Send + Sync + 'static,
    ) {
        *self.shared.respond.lock().unwrap() = Arc::new(respond);
    }

    /// Adds a header to further answers.
    pub(crate) fn add_header(&self, name: &'static str, value: &'static str) {
        *self.shared.header.lock().unwrap() = Some((name, value));
    }

    /// The path and query of each request so far, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, Arc::clone(&shared)));
    }
}

async fn serve(connection: TcpStream, shared: Arc<Shared>) {
    let answer = service_fn(|request| answer(Arc::clone(&shared), request));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), answer);
    // The client closes its connections when its table is gone.
    drop(serving.await);
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    shared.requests.lock().unwrap().push(head.uri.to_string());
    let respond = Arc::clone(&shared.respond.lock().unwrap());
    let (status, text) = respond(&head, &body);
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some((name, value)) = *shared.header.lock().unwrap() {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}
