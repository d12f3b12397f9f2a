//! A small HTTP server on loopback, which dates its responses by the clock of AWS.

use std::convert::identity;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::directory::Directory;

pub(super) type Answer = Response<Full<Bytes>>;

/// The id of every request.
pub(super) const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000001";

/// Stops when dropped, with all of its connections.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Handles requests; an error closes the connection without a response.
pub(super) trait Respond: Send + Sync + 'static {
    fn directory(&self) -> &Directory;

    fn respond(
        self: Arc<Self>,
        head: Parts,
        body: Bytes,
    ) -> impl Future<Output = io::Result<Answer>> + Send;
}

impl Server {
    pub(super) async fn start(service: Arc<impl Respond>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            accepting: tokio::spawn(accept(listener, service)),
        }
    }

    pub(super) fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn accept(listener: TcpListener, service: Arc<impl Respond>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((connection, _)) = listener.accept() => {
                connections.spawn(serve(connection, Arc::clone(&service)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(connection: TcpStream, service: Arc<impl Respond>) {
    connection.set_nodelay(true).unwrap();
    let answer = service_fn(|request| answer(Arc::clone(&service), request));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), answer);
    // The client is gone, or the test breaks its connection.
    serving.await.map_or_else(drop, identity);
}

async fn answer(service: Arc<impl Respond>, request: Request<Incoming>) -> io::Result<Answer> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let mut answer = Arc::clone(&service).respond(head, body).await?;
    let now: DateTime<Utc> = service.directory().now().into();
    let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let date = HeaderValue::from_str(&date).unwrap();
    answer.headers_mut().insert(DATE, date);
    Ok(answer)
}

/// A response with a text body.
pub(super) fn text(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    let id = HeaderValue::from_static(REQUEST_ID);
    answer.headers_mut().insert("x-amzn-requestid", id);
    answer
}
