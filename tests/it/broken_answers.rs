//! Answers to GetRecords that break off or are no answer are errors to retry, never lost records.

use datafusion_kinesis::kinesis::{
    ApiError, ApiErrorKind, Kinesis, RecordColumns, RecordsPage, SdkKinesis, ShardIterator,
};
use datafusion_kinesis::model::{
    ConnectionSettings, CredentialSettings, Secret, StaticCredentials, StreamIdentity,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What a server that sends `answer` and closes the connection gives to GetRecords.
async fn answered(answer: Vec<u8>) -> Result<RecordsPage, ApiError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        // The request ends with the JSON of the iterator.
        while !request.ends_with(b"}") {
            connection.read_buf(&mut request).await.unwrap();
        }
        connection.write_all(&answer).await.unwrap();
        connection.shutdown().await.unwrap();
    });
    let secret = |text: &str| Secret::new(text);
    let mut settings = ConnectionSettings::default();
    settings.endpoint_url = Some(format!("http://{address}"));
    settings.region = Some("eu-west-1".to_owned());
    settings.credentials = CredentialSettings::keys(StaticCredentials {
        access_key_id: secret("key"),
        secret_key: secret("secret"),
        session_token: None,
    });
    let kinesis = SdkKinesis::connect(&settings).await.unwrap();
    let stream = StreamIdentity::parse("words").unwrap();
    let iterator = ShardIterator::new("AAAA".to_owned());
    let page = kinesis.get_records(&stream, &iterator, 10, RecordColumns::ALL);
    let page = page.await;
    serving.await.unwrap();
    page
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
