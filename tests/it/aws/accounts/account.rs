//! The Kinesis of one account.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use datafusion_kinesis::kinesis::{EmbeddedServer, InMemoryKinesis, InMemoryOptions};
use datafusion_kinesis::model::SystemClock;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::aws::http_server::Answer;

type Connection = SendRequest<Full<Bytes>>;

#[derive(Debug)]
pub(super) struct Account {
    pub(super) kinesis: Arc<InMemoryKinesis>,
    server: EmbeddedServer,
    idle: Mutex<Vec<Connection>>,
}

impl Account {
    pub(super) async fn open(account: &str, region: &str) -> Self {
        let options = InMemoryOptions::default()
            .with_account(account)
            .with_region(region);
        let kinesis = Arc::new(InMemoryKinesis::new(Arc::new(SystemClock), options));
        let server = EmbeddedServer::bind("127.0.0.1:0", Arc::clone(&kinesis));
        Self {
            server: server.await.unwrap(),
            kinesis,
            idle: Mutex::default(),
        }
    }

    /// The response of the account's Kinesis, or an error if it closes the connection.
    pub(super) async fn forward(&self, head: Parts, body: Bytes) -> io::Result<Answer> {
        let mut connection = self.connection().await?;
        let request = Request::from_parts(head, Full::new(body));
        let answer = connection.send_request(request).await;
        let (head, body) = answer.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        self.idle.lock().unwrap().push(connection);
        Ok(Response::from_parts(head, Full::new(body)))
    }

    async fn connection(&self) -> io::Result<Connection> {
        while let Some(mut idle) = self.take_idle() {
            if idle.ready().await.is_ok() {
                return Ok(idle);
            }
        }
        let connection = TcpStream::connect(self.server.local_addr()).await?;
        connection.set_nodelay(true)?;
        let handshake = handshake(TokioIo::new(connection)).await;
        let (sender, running) = handshake.map_err(io::Error::other)?;
        // Ends with the server or the sender, which reports errors.
        tokio::spawn(async { drop(running.await) });
        Ok(sender)
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap().pop()
    }
}
