use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::connection::ConnectionMetadata;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::*;
use crate::aws::AwsAccess;
use crate::model::{
    ConnectionSettings, CredentialSettings, Secret, StaticCredentials, SystemClock,
};

/// A connection on which no answer arrives, and how often it was given up.
#[derive(Debug, Default)]
struct DeadConnection(Arc<AtomicUsize>);

impl HttpConnector for DeadConnection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = request.try_into_http1x().unwrap();
        let capture = request.extensions().get::<CaptureSmithyConnection>();
        let given_up = Arc::clone(&self.0);
        capture.unwrap().set_connection_retriever(move || {
            let given_up = Arc::clone(&given_up);
            let poison = move || {
                given_up.fetch_add(1, Ordering::Relaxed);
            };
            let connection = ConnectionMetadata::builder().proxied(false);
            Some(connection.poison_fn(poison).build())
        });
        HttpConnectorFuture::ready(Err(ConnectorError::timeout("no answer".into())))
    }
}

/// Over HTTP/2, requests would use the connection for as long as others keep it from being idle.
#[tokio::test]
async fn a_connection_without_an_answer_is_given_up() {
    let keys = StaticCredentials {
        access_key_id: Secret::new("key"),
        secret_key: Secret::new("secret"),
        session_token: None,
    };
    let settings = ConnectionSettings::default()
        .with_region("eu-west-1")
        .with_credentials(CredentialSettings::keys(keys));
    let mut config = AwsAccess::new().of(&settings).await.unwrap();
    let dead = DeadConnection::default();
    let given_up = Arc::clone(&dead.0);
    config.connector = SharedHttpConnector::new(dead);
    let clock = Arc::new(ServiceClock::new(Arc::new(SystemClock)));
    let endpoint = Some("http://127.0.0.1:4567");
    let data_plane = DataPlane::new(&config, "eu-west-1", endpoint, clock);
    let stream = StreamIdentity::parse("words").unwrap();
    let call = Call {
        operation: Operation::GetRecords,
        stream: &stream,
        consumer: None,
        format: Format::Json,
    };
    let pool = BufferPool::default();
    let sent = data_plane.send(call, b"{}".to_vec(), &pool);
    let failed = sent.await.unwrap_err();
    assert_eq!(failed.error.kind(), ApiErrorKind::Unavailable);
    assert_eq!(given_up.load(Ordering::Relaxed), 1);
}
