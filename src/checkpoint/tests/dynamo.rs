//! DynamoDB in this process: an HTTP client for the SDK that responds without a server, with scripted faults.
//! It needs no socket, so it works with paused time.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::ConnectorError;
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use dynoxide::{Database, DynoxideError};

/// The outcome of a request.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// No fault.
    Served,
    /// The request is lost.
    Lost,
    /// The request takes effect, and the response is lost.
    AnswerLost,
    /// The request has no effect, and has this response: status and body.
    Answered(u16, String),
}

impl Fate {
    /// The request fails with an error code.
    pub(crate) fn refused(status: u16, code: &str) -> Self {
        let body = format!(
            "{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{code}\",\"message\":\"no\"}}"
        );
        Self::Answered(status, body)
    }

    /// The transaction is canceled, with these reasons for its actions.
    pub(crate) fn canceled(codes: &[&str]) -> Self {
        let reasons = codes
            .iter()
            .map(|code| format!("{{\"Code\":\"{code}\",\"Message\":\"no\"}}"));
        let reasons = reasons.collect::<Vec<_>>().join(",");
        let code = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        let body = format!(
            "{{\"__type\":\"{code}\",\"message\":\"no\",\"CancellationReasons\":[{reasons}]}}"
        );
        Self::Answered(400, body)
    }
}

/// All tables of an account.
#[derive(Clone)]
pub(crate) struct Dynamo {
    pub(crate) database: Database,
    script: Arc<Mutex<Vec<(String, Fate)>>>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl std::fmt::Debug for Dynamo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dynamo")
    }
}

impl Dynamo {
    pub(crate) fn new() -> Self {
        Self {
            database: Database::memory().unwrap(),
            script: Arc::default(),
            calls: Arc::default(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        let connector = SharedHttpConnector::new(self.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        Client::from_conf(config)
    }

    /// Sets the outcomes of the next requests of `operation`.
    pub(crate) fn next(&self, operation: &str, fates: &[Fate]) {
        let lines = fates
            .iter()
            .map(|fate| (operation.to_owned(), fate.clone()));
        self.script.lock().unwrap().extend(lines);
    }

    /// The number of requests of `operation`.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| *call == operation).count()
    }

    /// Whether all scripted outcomes have been used.
    pub(crate) fn is_played(&self) -> bool {
        self.script.lock().unwrap().is_empty()
    }

    fn fate(&self, operation: &str) -> Option<Fate> {
        self.calls.lock().unwrap().push(operation.to_owned());
        let mut script = self.script.lock().unwrap();
        let line = script.iter().position(|(named, _)| named == operation)?;
        Some(script.remove(line).1)
    }

    fn answer(&self, operation: &str, body: &str) -> Result<String, DynoxideError> {
        if matches!(operation, "GetItem" | "Query") {
            assert!(body.contains("\"ConsistentRead\":true"), "{body}");
        }
        macro_rules! dispatch {
            ($($name:literal: $method:ident),+) => {
                match operation {
                    $($name => {
                        let request = serde_json::from_str(body).unwrap();
                        let answer = self.database.$method(request)?;
                        Ok(serde_json::to_string(&answer).unwrap())
                    })+
                    other => panic!("{other} is not expected"),
                }
            };
        }
        dispatch!(
            "CreateTable": create_table, "DeleteItem": delete_item, "DescribeTable": describe_table,
            "GetItem": get_item, "PutItem": put_item, "Query": query, "Scan": scan,
            "TransactGetItems": transact_get_items, "TransactWriteItems": transact_write_items
        )
    }

    fn respond(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap();
        let operation = target.split('.').next_back().unwrap();
        let body = std::str::from_utf8(request.body().bytes().unwrap()).unwrap();
        let lost = || Err(ConnectorError::io("the connection is gone".into()));
        let (status, body) = match self.fate(operation) {
            Some(Fate::Lost) => return lost(),
            Some(Fate::Answered(status, body)) => (status, body),
            fate => {
                let answer = self.answer(operation, body);
                if matches!(fate, Some(Fate::AnswerLost)) {
                    return lost();
                }
                answer.map_or_else(
                    |error| (error.status_code(), error.to_json()),
                    |body| (200, body),
                )
            }
        };
        Ok(HttpResponse::new(status.try_into().unwrap(), body.into()))
    }
}

impl HttpConnector for Dynamo {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.respond(&request))
    }
}
