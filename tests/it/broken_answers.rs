//! Answers to GetRecords that break off or are no answer are errors to retry, never lost records.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion_kinesis::kinesis::{
    ApiError, ApiErrorKind, Kinesis, RecordColumns, RecordsPage, SdkKinesis, ShardIterator,
};
use datafusion_kinesis::model::{
    ConnectionSettings, CredentialSettings, Secret, StaticCredentials, StreamIdentity, WireFormat,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a server that sends `answer` and closes the connection gives to GetRecords in JSON.
async fn answered(answer: Vec<u8>) -> Result<RecordsPage, ApiError> {
    let (page, request) = exchanged(WireFormat::Json, answer).await;
    assert!(request.contains("content-type: application/x-amz-json-1.1\r\n"));
    page
}

/// As [`answered`], in CBOR.
async fn answered_in_cbor(answer: Vec<u8>) -> Result<RecordsPage, ApiError> {
    let (page, request) = exchanged(WireFormat::Cbor, answer).await;
    assert!(request.contains("content-type: application/x-amz-cbor-1.1\r\n"));
    page
}

/// The result of GetRecords, and the request that was sent.
async fn exchanged(format: WireFormat, answer: Vec<u8>) -> (Result<RecordsPage, ApiError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        // The request ends with the map of its members, in either format.
        while !request.ends_with(b"}") && !request.ends_with(&[0xff]) {
            connection.read_buf(&mut request).await.unwrap();
        }
        connection.write_all(&answer).await.unwrap();
        connection.shutdown().await.unwrap();
        String::from_utf8_lossy(&request).to_ascii_lowercase()
    });
    let kinesis = client(format, address).await;
    let page = get_records(&kinesis).await;
    (page, serving.await.unwrap())
}

async fn client(format: WireFormat, address: SocketAddr) -> SdkKinesis {
    let secret = |text: &str| Secret::new(text);
    let mut settings = ConnectionSettings::default();
    settings.endpoint_url = Some(format!("http://{address}"));
    settings.region = Some("eu-west-1".to_owned());
    settings.wire_format = format;
    settings.credentials = CredentialSettings::keys(StaticCredentials {
        access_key_id: secret("key"),
        secret_key: secret("secret"),
        session_token: None,
    });
    SdkKinesis::connect(&settings).await.unwrap()
}

async fn get_records(kinesis: &SdkKinesis) -> Result<RecordsPage, ApiError> {
    let stream = StreamIdentity::parse("words").unwrap();
    let iterator = ShardIterator::new("AAAA".to_owned());
    let page = kinesis.get_records(&stream, &iterator, 10, RecordColumns::ALL);
    page.await
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\n{headers}\r\n{body}")
        .into_bytes()
}

const BODY: &str = r#"{"Records":[{"Data":"YQ==","PartitionKey":"k","SequenceNumber":"1"}],"NextShardIterator":"B"}"#;

#[tokio::test]
async fn whole_answers_are_read_with_a_length_in_chunks_and_until_the_end() {
    let length = format!("content-length: {}\r\n", BODY.len());
    let (first, second) = BODY.split_at(30);
    let chunks = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    for answer in [
        http("200 OK", &length, BODY),
        http("200 OK", "transfer-encoding: chunked\r\n", &chunks),
        http("200 OK", "connection: close\r\n", BODY),
    ] {
        let page = answered(answer).await.unwrap();
        assert_eq!((page.len(), page.data().value(0)), (1, &b"a"[..]));
        assert_eq!(page.next.unwrap().as_str(), "B");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_to_retry() {
    let length = format!("content-length: {}\r\n", BODY.len());
    let half = &BODY[..BODY.len() / 2];
    let chunk = format!("{:x}\r\n{half}\r\n", half.len());
    for answer in [
        http("200 OK", &length, half),
        http("200 OK", "transfer-encoding: chunked\r\n", &chunk),
        http("200 OK", "connection: close\r\n", half),
        http("200 OK", "content-length: 0\r\n", ""),
        http(
            "200 OK",
            "connection: close\r\n",
            "<html>maintenance</html>",
        ),
        http("200 OK", "connection: close\r\n", "{}"),
        http("206 Partial Content", "connection: close\r\n", "{}"),
    ] {
        let error = answered(answer).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ApiErrorKind::Unavailable, "BadResponse"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_message() {
    let body = r#"{"__type":"com.amazonaws.kinesis#ExpiredIteratorException","message":"Iterator expired."}"#;
    let length = format!("content-length: {}\r\n", body.len());
    let error = answered(http("400 Bad Request", &length, body))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ApiErrorKind::ExpiredIterator);
    assert_eq!(error.message(), "Iterator expired.");
}

#[tokio::test]
async fn a_refusal_may_have_its_code_in_a_header_only_or_no_code() {
    let named = "content-length: 0\r\nx-amzn-requestid: 17\r\n\
        x-amzn-errortype: ProvisionedThroughputExceededException:http://internal.amazon.com/coral/\r\n";
    let error = answered(http("400 Bad Request", named, "")).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ApiErrorKind::Throttled);
    assert_eq!(error.code(), "ProvisionedThroughputExceededException");
    assert!(error.message().contains("request 17"), "{error}");
    for (status, kind) in [
        ("400 Bad Request", ApiErrorKind::Other),
        ("429 Too Many Requests", ApiErrorKind::Throttled),
        ("502 Bad Gateway", ApiErrorKind::Unavailable),
    ] {
        let page = http(status, "connection: close\r\n", "<html>gateway</html>");
        let error = answered(page).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        let code = format!("HTTP {}", &status[..3]);
        assert_eq!(error.code(), code);
    }
}

/// The host behind a connection may be the one that fails.
#[tokio::test]
async fn a_connection_with_a_server_error_is_not_used_again() {
    for (status, connections) in [("400 Bad Request", 1), ("503 Service Unavailable", 2)] {
        let answer = http(status, "content-length: 2\r\n", "{}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kinesis = client(WireFormat::Json, listener.local_addr().unwrap()).await;
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&accepted);
        let serving = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while connection.read_buf(&mut request).await.unwrap_or(0) > 0 {
                        if request.ends_with(b"}") {
                            request.clear();
                            connection.write_all(&answer).await.unwrap();
                        }
                    }
                });
            }
        });
        for _ in 0..2 {
            get_records(&kinesis).await.unwrap_err();
        }
        assert_eq!(accepted.load(Ordering::Relaxed), connections, "{status}");
        serving.abort();
    }
}

/// An answer in CBOR.
fn cbor(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-cbor-1.1\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// One record with number 1 and data `a`.
const CBOR: &[u8] = b"\xa1\x67Records\x81\xa2\x64Data\x41a\x6eSequenceNumber\x611";

#[tokio::test]
async fn answers_in_cbor_and_in_json_to_requests_in_cbor_are_read() {
    let length = format!("content-length: {}\r\n", BODY.len());
    for answer in [cbor("200 OK", CBOR), http("200 OK", &length, BODY)] {
        let page = answered_in_cbor(answer).await.unwrap();
        assert_eq!((page.len(), page.data().value(0)), (1, &b"a"[..]));
    }
    let error = answered_in_cbor(cbor("200 OK", &CBOR[..20]))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ApiErrorKind::Unavailable, "BadResponse"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refusal_in_cbor_keeps_its_code_and_message() {
    let code = b"x#ExpiredIteratorException";
    let body = [
        b"\xbf\x66__type\x78",
        &[code.len() as u8][..],
        code,
        b"\x67Message\x68Too late\xff",
    ]
    .concat();
    let error = answered_in_cbor(cbor("400 Bad Request", &body))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ApiErrorKind::ExpiredIterator, "{error}");
    assert_eq!(error.message(), "Too late");
}

#[tokio::test]
async fn a_server_that_does_not_know_cbor_is_named_as_such() {
    for (status, body) in [
        ("415 Unsupported Media Type", ""),
        ("404 Not Found", "<html>no</html>"),
    ] {
        let length = format!("content-length: {}\r\n", body.len());
        let error = answered_in_cbor(http(status, &length, body))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ApiErrorKind::InvalidArgument);
        let error = error.to_string();
        assert!(
            error.contains(&status[..3]) && error.contains("'kinesis.wireFormat'"),
            "{error}"
        );
    }
}
