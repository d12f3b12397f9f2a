use std::time::Duration;

use aws_smithy_runtime_api::client::connection::ConnectionMetadata;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::*;

const HANDSHAKE: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_secs(1);

/// A server whose connections serve any number of requests, and are opened by requests that find none.
#[derive(Debug, Clone, Default)]
struct Server(Arc<Mutex<ServerState>>);

#[derive(Debug, Default)]
struct ServerState {
    has_connection: bool,
    begun: usize,
    handshake: Handshake,
}

#[derive(Debug, Clone, Copy, Default)]
enum Handshake {
    #[default]
    Works,
    Fails,
    Hangs,
}

impl Server {
    fn set_handshake(&self, handshake: Handshake) {
        self.0.lock().unwrap().handshake = handshake;
    }

    /// How many connections were begun.
    fn begun(&self) -> usize {
        self.0.lock().unwrap().begun
    }

    async fn connect(self) -> Result<(), ConnectorError> {
        let handshake = {
            let mut state = self.0.lock().unwrap();
            if state.has_connection {
                return Ok(());
            }
            state.begun += 1;
            state.handshake
        };
        match handshake {
            Handshake::Works => sleep(HANDSHAKE).await,
            Handshake::Fails => return Err(ConnectorError::io("refused".into())),
            Handshake::Hangs => {
                sleep(CONNECT_TIMEOUT).await;
                return Err(ConnectorError::timeout("no connection".into()));
            }
        }
        self.0.lock().unwrap().has_connection = true;
        Ok(())
    }
}

impl HttpConnector for Server {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let server = self.clone();
        HttpConnectorFuture::new(async move {
            server.connect().await?;
            if let Some(capture) = request.extension::<CaptureSmithyConnection>() {
                let connection = ConnectionMetadata::builder().proxied(false);
                let connection = connection.poison_fn(|| {}).build();
                capture.set_connection_retriever(move || Some(connection.clone()));
            }
            sleep(ANSWER).await;
            Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::empty()))
        })
    }
}

fn one_by_one(server: &Server) -> SharedHttpConnector {
    connecting_one_by_one(SharedHttpConnector::new(server.clone()))
}

fn to(url: &str) -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url).unwrap();
    request
}

fn request() -> HttpRequest {
    let mut request = to("https://kinesis.eu-west-1.amazonaws.com/");
    request.add_extension(CaptureSmithyConnection::new());
    request
}

/// Sends requests at once. Returns how many get an answer, and the time until the last one.
async fn send(connector: &SharedHttpConnector, requests: usize) -> (usize, Duration) {
    let began = Instant::now();
    let answers = join_all((0..requests).map(|_| connector.call(request()))).await;
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    (answered, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_the_connection_and_not_for_answers() {
    let server = Server::default();
    let connector = one_by_one(&server);
    let (answered, took) = send(&connector, 100).await;
    assert_eq!((answered, server.begun()), (100, 1));
    assert!(took < ANSWER + 2 * HANDSHAKE, "{took:?}");
    // The connection is lost.
    server.0.lock().unwrap().has_connection = false;
    let (answered, _) = send(&connector, 100).await;
    assert_eq!((answered, server.begun()), (100, 2));
}

#[tokio::test(start_paused = true)]
async fn a_failed_handshake_is_the_failure_of_one_request() {
    let server = Server::default();
    let connector = one_by_one(&server);
    server.set_handshake(Handshake::Fails);
    let (answered, took) = send(&connector, 100).await;
    assert_eq!((answered, server.begun()), (0, 100));
    assert!(took < HANDSHAKE, "{took:?}");
    let (first, rest) = tokio::join!(connector.call(request()), async {
        server.set_handshake(Handshake::Works);
        send(&connector, 99).await
    });
    assert!(first.is_err());
    assert_eq!((rest.0, server.begun()), (99, 102));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_hangs_delays_others_by_its_timeout_at_most() {
    let server = Server::default();
    let connector = one_by_one(&server);
    server.set_handshake(Handshake::Hangs);
    let (answered, took) = send(&connector, 100).await;
    assert_eq!(answered, 0);
    assert!(took < 2 * CONNECT_TIMEOUT + HANDSHAKE, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_lets_the_next_one_connect() {
    let server = Server::default();
    let connector = one_by_one(&server);
    server.set_handshake(Handshake::Hangs);
    timeout(HANDSHAKE, connector.call(request()))
        .await
        .unwrap_err();
    server.set_handshake(Handshake::Works);
    let (answered, took) = send(&connector, 10).await;
    assert_eq!((answered, server.begun()), (10, 2));
    assert!(took < ANSWER + 2 * HANDSHAKE, "{took:?}");
}

/// Nothing tells when it has a connection.
#[tokio::test(start_paused = true)]
async fn a_request_without_a_captured_connection_is_answered_before_the_next_one_connects() {
    let server = Server::default();
    let connector = one_by_one(&server);
    let plain = || connector.call(to("https://localhost:4567/"));
    let began = Instant::now();
    let (first, second) = tokio::join!(plain(), plain());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(server.begun(), 1);
    assert!(began.elapsed() >= 2 * ANSWER);
}

/// Without TLS, a server speaks HTTP/1.1, and each request needs a connection.
#[tokio::test(start_paused = true)]
async fn connections_without_encryption_are_opened_at_once() {
    let server = Server::default();
    let connector = one_by_one(&server);
    let began = Instant::now();
    let calls = (0..20).map(|_| connector.call(to("http://localhost:4567/")));
    join_all(calls).await;
    assert_eq!(server.begun(), 20);
    assert!(began.elapsed() < ANSWER + 2 * HANDSHAKE);
}
