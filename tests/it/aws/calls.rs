//! The local Kinesis: authenticated calls reach the account of the caller.

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::primitives::Blob;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use datafusion_kinesis::kinesis::{ApiError, ApiErrorKind, CONNECTION_LOST, Kinesis, Operation};
use datafusion_kinesis::model::{StreamIdentity, StreamName};

use super::assume_role::session;
use super::directory::User;
use super::tampered::Tampered;
use super::{Accounts, Directory, LocalSts, Role};
use crate::sdk;

const HOME: &str = "111122223333";
const AWAY: &str = "444455556666";

/// A home-account user, a role of another account that trusts the user, and a stream `words` in
/// both accounts: with one shard at home and two in the other account.
struct Fixture {
    directory: Arc<Directory>,
    accounts: Accounts,
    user: User,
    role: String,
}

impl Fixture {
    async fn new() -> Self {
        let directory = Arc::new(Directory::default());
        let user = directory.add_user(HOME, "ada");
        let role = directory.add_role(Role::new(AWAY, "writer").trusting(&user.arn));
        let accounts = Accounts::start(&directory, "eu-west-1").await;
        let words = StreamName::new("words").unwrap();
        for (account, shards) in [(HOME, 1), (AWAY, 2)] {
            let kinesis = accounts.kinesis(account).await;
            kinesis.create_stream(&words, shards).await.unwrap();
        }
        Self {
            directory,
            accounts,
            user,
            role,
        }
    }

    fn client(&self, credentials: Credentials) -> Client {
        sdk::client_as(&self.accounts.endpoint_url(), "eu-west-1", credentials)
    }

    fn user(&self) -> Client {
        self.client(self.user.credentials())
    }

    /// The credentials of a new session of the role.
    async fn session(&self) -> Credentials {
        let sts = LocalSts::start(&self.directory).await;
        let sts = sdk::sts(&sts.endpoint_url(), self.user.credentials());
        let request = sts.assume_role().role_arn(&self.role);
        let answer = request.role_session_name("test").send().await.unwrap();
        session(&answer.credentials.unwrap())
    }
}

/// The ARN of the stream `words` as the caller sees it, or the error code.
async fn words(client: &Client) -> Result<String, String> {
    let request = client.describe_stream_summary().stream_name("words");
    let answer = request.send().await;
    let code = |error: &dyn ProvideErrorMetadata| error.code().unwrap_or_default().to_owned();
    let answer = answer.map_err(|error| code(&error))?;
    Ok(answer.stream_description_summary.unwrap().stream_arn)
}

fn arn(account: &str) -> String {
    format!("arn:aws:kinesis:eu-west-1:{account}:stream/words")
}

#[tokio::test]
async fn each_caller_reaches_the_streams_of_its_account() {
    let fixture = Fixture::new().await;
    let user = fixture.user();
    assert_eq!(words(&user).await.unwrap(), arn(HOME));
    let session = fixture.session().await;
    let key = session.access_key_id().to_owned();
    let session = fixture.client(session);
    assert_eq!(words(&session).await.unwrap(), arn(AWAY));
    let put = session
        .put_record()
        .stream_name("words")
        .data(Blob::new("x"));
    let put = put.partition_key("k").send();
    let (put, ()) = tokio::join!(put, fixture.accounts.until_called(AWAY, "PutRecord", 1));
    assert!(put.is_ok(), "{put:?}");
    let away = fixture.accounts.kinesis(AWAY).await;
    assert_eq!(away.calls(Operation::PutRecord), 1);
    let stream = StreamIdentity::parse("words").unwrap();
    assert_eq!(away.describe_stream(&stream).await.unwrap().open_shards, 2);
    assert_eq!(fixture.accounts.calls(HOME, "DescribeStreamSummary"), 1);
    assert_eq!(fixture.accounts.calls(HOME, "PutRecord"), 0);
    assert_eq!(fixture.accounts.keys(AWAY), [key].into());
    let request = user.describe_stream_summary().stream_arn(arn(AWAY));
    let error = request.send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
    let words = error.message().unwrap();
    assert!(words.contains("no resource-based policy"), "{words}");
}

#[tokio::test]
async fn wrong_keys_tokens_signatures_and_regions_are_refused() {
    let fixture = Fixture::new().await;
    let wrong = |key: &str| fixture.client(Credentials::new(key, "wrong", None, None, "test"));
    let error = words(&wrong(&fixture.user.access_key_id))
        .await
        .unwrap_err();
    assert_eq!(error, "InvalidSignatureException");
    let error = words(&wrong("AKIDNOBODY")).await.unwrap_err();
    assert_eq!(error, "UnrecognizedClientException");
    let url = fixture.accounts.endpoint_url();
    let elsewhere = sdk::client_as(&url, "us-east-1", fixture.user.credentials());
    let request = elsewhere.list_streams().send().await.unwrap_err();
    assert_eq!(request.code(), Some("InvalidSignatureException"));
    let told = "Credential should be scoped to a valid region.";
    assert_eq!(request.message(), Some(told));
    assert_eq!(fixture.accounts.refused("InvalidSignatureException"), 2);
    assert_eq!(fixture.accounts.calls(HOME, "ListStreams"), 0);
    let changes: [fn(&mut HttpRequest); 3] = [
        |request| {
            let target = "Kinesis_20131202.DescribeLimits";
            request.headers_mut().insert("x-amz-target", target);
        },
        |request| *request.body_mut() = "[]".into(),
        |request| {
            request
                .headers_mut()
                .insert("x-amz-date", "20200101T000000Z");
        },
    ];
    for change in changes {
        let changed = fixture.user().list_streams().customize();
        let changed = changed.interceptor(Tampered(change)).send().await;
        let error = changed.unwrap_err();
        assert_eq!(error.code(), Some("InvalidSignatureException"));
    }
    assert!(fixture.user().list_streams().send().await.is_ok());
}

#[tokio::test]
async fn an_expired_session_is_refused() {
    let fixture = Fixture::new().await;
    let client = fixture.client(fixture.session().await);
    assert!(words(&client).await.is_ok());
    fixture.directory.end_sessions(&fixture.role);
    assert_eq!(words(&client).await.unwrap_err(), "ExpiredTokenException");
    assert_eq!(fixture.accounts.refused("ExpiredTokenException"), 1);
    assert_eq!(fixture.accounts.calls(AWAY, "DescribeStreamSummary"), 1);
}

#[tokio::test]
async fn a_denied_action_is_refused_until_it_is_allowed() {
    let fixture = Fixture::new().await;
    let session = fixture.client(fixture.session().await);
    let action = "kinesis:DescribeStreamSummary";
    let principals = [
        &fixture.role,
        "arn:aws:sts::444455556666:assumed-role/writer/test",
    ];
    for principal in principals {
        fixture.accounts.deny(principal, action);
        let request = session.describe_stream_summary().stream_name("words");
        let error = request.send().await.unwrap_err();
        assert_eq!(error.code(), Some("AccessDeniedException"));
        assert_eq!(
            error.message(),
            Some(
                "User: arn:aws:sts::444455556666:assumed-role/writer/test is not authorized to \
                 perform: kinesis:DescribeStreamSummary on resource: \
                 arn:aws:kinesis:eu-west-1:444455556666:stream/words because no identity-based \
                 policy allows the kinesis:DescribeStreamSummary action"
            )
        );
        assert!(session.list_streams().send().await.is_ok());
        assert!(words(&fixture.user()).await.is_ok());
        fixture.accounts.allow(principal, action);
        assert!(words(&session).await.is_ok());
    }
}

#[tokio::test]
async fn faults_of_an_account_reach_the_client() {
    let fixture = Fixture::new().await;
    let user = fixture.user();
    let home = fixture.accounts.kinesis(HOME).await;
    let operation = Operation::ListStreams;
    home.fail_next(
        operation,
        ApiError::from_code(operation, "InternalFailure", "x"),
    );
    let error = user.list_streams().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InternalFailure"));
    let lost = ApiError::new(ApiErrorKind::Unavailable, operation, CONNECTION_LOST, "");
    home.fail_next(operation, lost);
    let error = user.list_streams().send().await.unwrap_err();
    assert!(error.as_service_error().is_none(), "{error:?}");
    assert!(user.list_streams().send().await.is_ok());
}

#[tokio::test]
async fn a_client_with_a_wrong_clock_is_refused_once() {
    let fixture = Fixture::new().await;
    fixture.directory.set_seconds_ahead(3_600);
    let user = fixture.user();
    assert_eq!(words(&user).await.unwrap_err(), "InvalidSignatureException");
    assert!(words(&user).await.is_ok());
}
