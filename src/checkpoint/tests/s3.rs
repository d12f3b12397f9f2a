//! An S3 server on loopback, with faults by the number of the request.

mod bucket;
mod faults;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use bucket::Bucket;

const KEY_ID: &str = "AKIDLOOPBACK";
const SECRET: &str = "hush";

/// A fault in a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The request has no effect, and fails with this status and error code.
    Answers(u16, &'static str),
    /// The request has no effect, and its connection breaks.
    Breaks,
    /// The request takes effect, and its connection breaks.
    LosesAnswer,
}

#[derive(Debug, Default)]
struct Traffic {
    /// Method and path of each request so far.
    seen: Vec<String>,
    by_number: BTreeMap<usize, Fault>,
    always: Option<Fault>,
}

impl Traffic {
    fn fault(&mut self, request: String) -> Option<Fault> {
        let scripted = self.by_number.remove(&self.seen.len());
        self.seen.push(request);
        scripted.or(self.always)
    }
}

/// The bucket `bucket` behind the S3 protocol with signatures, until it is dropped.
#[derive(Debug)]
pub(crate) struct S3Server {
    address: SocketAddr,
    traffic: Arc<Mutex<Traffic>>,
    accepting: JoinHandle<()>,
}

impl S3Server {
    pub(super) async fn start() -> Self {
        Self::with(Bucket::default()).await
    }

    async fn with(bucket: Bucket) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut service = S3ServiceBuilder::new(bucket);
        service.set_auth(s3s::auth::SimpleAuth::from_single(KEY_ID, SECRET));
        let traffic = Arc::default();
        let accepting = tokio::spawn(accept(listener, service.build(), Arc::clone(&traffic)));
        Self {
            address,
            traffic,
            accepting,
        }
    }

    /// The settings that direct a store here.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let endpoint = format!("http://{}", self.address);
        let settings = [
            ("aws_endpoint", endpoint.as_str()),
            ("aws_allow_http", "true"),
            ("aws_region", "eu-west-1"),
            ("aws_access_key_id", KEY_ID),
            ("aws_secret_access_key", SECRET),
        ];
        settings
            .map(|(name, value)| (name, value.to_owned()))
            .into()
    }

    /// Method and path of each request so far.
    pub(super) fn seen(&self) -> Vec<String> {
        self.traffic.lock().unwrap().seen.clone()
    }

    /// Injects one fault into each of the next requests.
    pub(super) fn next(&self, faults: &[Fault]) {
        let mut traffic = self.traffic.lock().unwrap();
        let numbered = (traffic.seen.len()..).zip(faults.iter().copied());
        traffic.by_number.extend(numbered.collect::<Vec<_>>());
    }

    /// Injects a fault into the request with this number, counted from 0.
    pub(super) fn at(&self, number: usize, fault: Fault) {
        let mut traffic = self.traffic.lock().unwrap();
        traffic.by_number.insert(number, fault);
    }

    /// Injects a fault into all requests.
    pub(super) fn always(&self, fault: Fault) {
        self.traffic.lock().unwrap().always = Some(fault);
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, service: S3Service, traffic: Arc<Mutex<Traffic>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let (service, traffic) = (service.clone(), Arc::clone(&traffic));
        connections.spawn(async move {
            connection.set_nodelay(true).unwrap();
            let answer = service_fn(|request| answer(&service, &traffic, request));
            // It ends when a fault or the client closes it.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(connection), answer)
                .await;
        });
    }
}

async fn answer(
    service: &S3Service,
    traffic: &Mutex<Traffic>,
    request: Request<Incoming>,
) -> Result<Response<s3s::Body>, &'static str> {
    let line = format!("{} {}", request.method(), request.uri().path());
    let fault = traffic.lock().unwrap().fault(line);
    match fault {
        Some(Fault::Breaks) => Err("a fault broke the connection"),
        Some(Fault::Answers(status, code)) => Ok(failure(status, code)),
        fault => {
            let answered = service.call(request.map(s3s::Body::from)).await;
            match fault {
                None => answered.map_err(|_| "the request broke off"),
                Some(_) => Err("a fault lost the answer"),
            }
        }
    }
}

fn failure(status: u16, code: &str) -> Response<s3s::Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>as the test would have it</Message></Error>"
    );
    let mut response = Response::new(Bytes::from(text).into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let xml = "application/xml".parse().unwrap();
    response.headers_mut().insert(CONTENT_TYPE, xml);
    response
}
