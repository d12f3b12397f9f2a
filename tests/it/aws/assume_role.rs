//! The local STS: only trusted callers assume roles, for the allowed duration.

mod faults;

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use datafusion_kinesis::model::{Clock, SystemClock};

use super::directory::User;
use super::tampered::Tampered;
use super::{Directory, LocalSts, Role};
use crate::sdk;

const HOME: &str = "111122223333";
const AWAY: &str = "444455556666";

/// A home-account user, and a role of another account that trusts the home account.
struct Fixture {
    directory: Arc<Directory>,
    sts: LocalSts,
    user: User,
    role: String,
}

impl Fixture {
    async fn new() -> Self {
        let directory = Arc::new(Directory::default());
        let user = directory.add_user(HOME, "ada");
        let role = directory.add_role(Role::new(AWAY, "reader").trusting(HOME));
        let sts = LocalSts::start(&directory).await;
        Self {
            directory,
            sts,
            user,
            role,
        }
    }

    fn client(&self, credentials: Credentials) -> Client {
        sdk::sts(&self.sts.endpoint_url(), credentials)
    }

    fn user(&self) -> Client {
        self.client(self.user.credentials())
    }

    fn assume(&self, client: &Client) -> AssumeRoleFluentBuilder {
        let request = client.assume_role().role_arn(&self.role);
        request.role_session_name("test")
    }

    /// The credentials of a session that the user starts.
    async fn session(&self) -> Credentials {
        let answer = self.assume(&self.user()).send().await.unwrap();
        session(&answer.credentials.unwrap())
    }
}

pub(super) fn session(said: &aws_sdk_sts::types::Credentials) -> Credentials {
    let token = Some(said.session_token.clone());
    Credentials::new(
        &said.access_key_id,
        &said.secret_access_key,
        token,
        None,
        "sts",
    )
}

/// Code and message of the error.
async fn refusal(request: AssumeRoleFluentBuilder) -> (String, String) {
    let error = request.send().await.unwrap_err();
    let code = error.code().unwrap_or_default().to_owned();
    (code, error.message().unwrap_or_default().to_owned())
}

async fn code(request: AssumeRoleFluentBuilder) -> String {
    refusal(request).await.0
}

async fn caller(client: &Client) -> Result<String, String> {
    let answer = client.get_caller_identity().send().await;
    let code = |error: &dyn ProvideErrorMetadata| error.code().unwrap_or_default().to_owned();
    let answer = answer.map_err(|error| code(&error))?;
    Ok(answer.arn.unwrap())
}

#[tokio::test]
async fn a_session_belongs_to_the_role_and_the_call_is_recorded() {
    let fixture = Fixture::new().await;
    let user = fixture.user();
    assert_eq!(caller(&user).await.unwrap(), fixture.user.arn);
    let request = fixture.assume(&user).duration_seconds(900).external_id("x");
    let answer = request.send().await.unwrap();
    let arn = format!("arn:aws:sts::{AWAY}:assumed-role/reader/test");
    assert_eq!(answer.assumed_role_user.unwrap().arn, arn);
    let said = answer.credentials.unwrap();
    let life = said.expiration.secs() - now();
    assert!((840..=900).contains(&life), "{life}");
    let client = fixture.client(session(&said));
    assert_eq!(caller(&client).await.unwrap(), arn);

    assert_eq!(fixture.sts.calls("GetCallerIdentity").len(), 2);
    let calls = fixture.sts.assumed(&fixture.role);
    let [call] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    assert_eq!(call.action, "AssumeRole");
    assert_eq!(call.session_name.as_deref(), Some("test"));
    assert_eq!(call.duration_seconds.as_deref(), Some("900"));
    assert_eq!(call.external_id.as_deref(), Some("x"));
    assert_eq!(
        call.access_key_id.as_ref(),
        Some(&fixture.user.access_key_id)
    );
    assert_eq!(call.region.as_deref(), Some("us-east-1"));
}

/// The current time in seconds.
fn now() -> i64 {
    SystemClock.now().0 / 1_000
}

#[tokio::test]
async fn wrong_keys_tokens_and_signatures_are_refused() {
    let fixture = Fixture::new().await;
    let who = async |key: &str, secret: &str, token: Option<&str>| {
        let token = token.map(str::to_owned);
        let credentials = Credentials::new(key, secret, token, None, "test");
        caller(&fixture.client(credentials)).await.unwrap_err()
    };
    let user = &fixture.user;
    let (key, secret) = (user.access_key_id.as_str(), user.secret.as_str());
    assert_eq!(who(key, "wrong", None).await, "SignatureDoesNotMatch");
    assert_eq!(
        who("AKIDNOBODY", secret, None).await,
        "InvalidClientTokenId"
    );
    assert_eq!(
        who(key, secret, Some("token")).await,
        "InvalidClientTokenId"
    );
    let session = fixture.session().await;
    let (key, secret) = (session.access_key_id(), session.secret_access_key());
    assert_eq!(who(key, secret, None).await, "InvalidClientTokenId");
    assert_eq!(
        who(key, secret, Some("other")).await,
        "InvalidClientTokenId"
    );
    let unsigned = fixture.user().get_caller_identity().customize();
    let unsigned = unsigned.interceptor(Tampered(|request| {
        request.headers_mut().remove("authorization");
    }));
    let error = unsigned.send().await.unwrap_err();
    assert_eq!(error.code(), Some("MissingAuthenticationToken"));
}

#[tokio::test]
async fn sessions_expire_and_can_be_ended() {
    let fixture = Fixture::new().await;
    let client = fixture.client(fixture.session().await);
    assert!(caller(&client).await.is_ok());
    fixture.directory.end_sessions(&fixture.role);
    assert_eq!(caller(&client).await.unwrap_err(), "ExpiredToken");
    fixture
        .directory
        .change_role(&fixture.role, |role| role.session_millis = Some(0));
    let answer = fixture.assume(&fixture.user()).send().await.unwrap();
    let said = answer.credentials.unwrap();
    assert!(said.expiration.secs() <= now());
    let client = fixture.client(session(&said));
    assert_eq!(caller(&client).await.unwrap_err(), "ExpiredToken");
}

#[tokio::test]
async fn only_trusted_principals_can_assume_a_role() {
    let fixture = Fixture::new().await;
    let user = fixture.user();
    let trust = |principal: &str| {
        let trusted = vec![principal.to_owned()];
        fixture
            .directory
            .change_role(&fixture.role, |role| role.trusted = trusted);
    };
    trust("arn:aws:iam::111122223333:user/grace");
    let (code, words) = refusal(fixture.assume(&user)).await;
    assert_eq!(code, "AccessDenied");
    assert_eq!(
        words,
        "User: arn:aws:iam::111122223333:user/ada is not authorized to perform: sts:AssumeRole on \
         resource: arn:aws:iam::444455556666:role/reader"
    );
    trust(&fixture.user.arn);
    assert!(fixture.assume(&user).send().await.is_ok());
    let between = Role::new(HOME, "between").trusting(&fixture.user.arn);
    let between = fixture.directory.add_role(between);
    trust(&between);
    assert_eq!(self::code(fixture.assume(&user)).await, "AccessDenied");
    let first = fixture.assume(&user).role_arn(&between).send().await;
    let chained = fixture.client(session(&first.unwrap().credentials.unwrap()));
    assert!(fixture.assume(&chained).send().await.is_ok());
}

#[tokio::test]
async fn external_id_duration_and_session_name_are_validated() {
    let fixture = Fixture::new().await;
    let user = fixture.user();
    fixture.directory.change_role(&fixture.role, |role| {
        role.external_id = Some("only this".to_owned());
        role.max_session_seconds = 7_200;
        role.trusted.push(role.arn());
    });
    let right = || fixture.assume(&user).external_id("only this");
    assert_eq!(code(fixture.assume(&user)).await, "AccessDenied");
    assert_eq!(code(right().external_id("that")).await, "AccessDenied");
    for seconds in [899, 7_201, 43_201] {
        let request = right().duration_seconds(seconds);
        assert_eq!(code(request).await, "ValidationError", "{seconds}");
    }
    for name in ["a", "a b", &"a".repeat(65)] {
        let request = right().role_session_name(name);
        assert_eq!(code(request).await, "ValidationError", "{name}");
    }
    let answer = right().duration_seconds(7_200).send().await.unwrap();
    let chained = fixture.client(session(&answer.credentials.unwrap()));
    let again = fixture.assume(&chained).external_id("only this");
    let (code, words) = refusal(again.clone().duration_seconds(3_601)).await;
    assert_eq!(code, "ValidationError");
    assert!(words.contains("role chaining"), "{words}");
    assert!(again.send().await.is_ok());
}

#[tokio::test]
async fn a_web_identity_token_needs_no_signature() {
    let fixture = Fixture::new().await;
    let client = fixture.user();
    let assume = |token: &str| {
        let request = client.assume_role_with_web_identity();
        let request = request.role_arn(&fixture.role).role_session_name("pod");
        request.web_identity_token(token).send()
    };
    let error = assume("token+of/pod=").await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"));
    fixture.directory.change_role(&fixture.role, |role| {
        role.web_identity_token = Some("token+of/pod=".to_owned());
    });
    let error = assume("another").await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidIdentityToken"));
    let answer = assume("token+of/pod=").await.unwrap();
    let client = fixture.client(session(&answer.credentials.unwrap()));
    let arn = format!("arn:aws:sts::{AWAY}:assumed-role/reader/pod");
    assert_eq!(caller(&client).await.unwrap(), arn);
    let calls = fixture.sts.calls("AssumeRoleWithWebIdentity");
    assert!(calls.iter().all(|call| call.access_key_id.is_none()));
}
