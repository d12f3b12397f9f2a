//! A Kinesis per account behind an authenticating endpoint.

mod account;
mod permissions;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use datafusion_kinesis::kinesis::InMemoryKinesis;
use hyper::StatusCode;
use hyper::http::request::Parts;
use tokio::sync::Mutex;

use self::account::Account;
use self::permissions::Permissions;
use super::directory::{Caller, Directory, Refused, Scope};
use super::http_server::{Answer, Respond, Server, text};
use super::observed::Observed;

/// A Kinesis of one region for all accounts. Stops when dropped.
#[derive(Debug)]
pub(crate) struct Accounts {
    server: Server,
    endpoint: Arc<Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    directory: Arc<Directory>,
    region: String,
    permissions: Permissions,
    accounts: Mutex<BTreeMap<String, Arc<Account>>>,
    seen: Observed<Seen>,
}

/// The calls so far.
#[derive(Debug, Default)]
struct Seen {
    /// By account and action, including denied calls.
    calls: BTreeMap<(String, String), u64>,
    keys: BTreeMap<String, BTreeSet<String>>,
    /// By error code.
    refused: BTreeMap<String, u64>,
}

impl Accounts {
    pub(crate) async fn start(directory: &Arc<Directory>, region: &str) -> Self {
        let endpoint = Arc::new(Endpoint {
            directory: Arc::clone(directory),
            region: region.to_owned(),
            permissions: Permissions::default(),
            accounts: Mutex::default(),
            seen: Observed::new(Seen::default()),
        });
        Self {
            server: Server::start(Arc::clone(&endpoint)).await,
            endpoint,
        }
    }

    pub(crate) fn endpoint_url(&self) -> String {
        self.server.endpoint_url()
    }

    /// The Kinesis of an account, without authentication.
    pub(crate) async fn kinesis(&self, account: &str) -> Arc<InMemoryKinesis> {
        Arc::clone(&self.endpoint.account(account).await.kinesis)
    }

    /// Denies `action` (such as `kinesis:PutRecords`) to the user, role or session with this ARN.
    pub(crate) fn deny(&self, principal: &str, action: &str) {
        self.endpoint.permissions.deny(principal, action);
    }

    /// Revokes a [`deny`](Self::deny).
    pub(crate) fn allow(&self, principal: &str, action: &str) {
        self.endpoint.permissions.allow(principal, action);
    }

    /// Number of calls of an action (such as `PutRecords`) by an account.
    pub(crate) fn calls(&self, account: &str, action: &str) -> u64 {
        self.endpoint.seen.read(|seen| seen.calls(account, action))
    }

    /// Waits until an account has called an action at least `count` times.
    pub(crate) async fn until_called(&self, account: &str, action: &str, count: u64) {
        let enough = |seen: &Seen| seen.calls(account, action) >= count;
        self.endpoint.seen.until(enough).await;
    }

    /// The access keys that an account has called with.
    pub(crate) fn keys(&self, account: &str) -> BTreeSet<String> {
        let keys = |seen: &Seen| seen.keys.get(account).cloned();
        self.endpoint.seen.read(keys).unwrap_or_default()
    }

    /// Number of requests that authentication refused with this error code.
    pub(crate) fn refused(&self, code: &str) -> u64 {
        let count = |seen: &Seen| seen.refused.get(code).copied();
        self.endpoint.seen.read(count).unwrap_or(0)
    }
}

impl Seen {
    fn calls(&self, account: &str, action: &str) -> u64 {
        let key = (account.to_owned(), action.to_owned());
        self.calls.get(&key).copied().unwrap_or(0)
    }

    fn note(&mut self, caller: &Caller, action: &str) {
        let key = (caller.account.clone(), action.to_owned());
        *self.calls.entry(key).or_default() += 1;
        let keys = self.keys.entry(caller.account.clone()).or_default();
        keys.insert(caller.access_key_id.clone());
    }
}

impl Endpoint {
    async fn account(&self, account: &str) -> Arc<Account> {
        let mut accounts = self.accounts.lock().await;
        if let Some(known) = accounts.get(account) {
            return Arc::clone(known);
        }
        let opened = Arc::new(Account::open(account, &self.region).await);
        accounts.insert(account.to_owned(), Arc::clone(&opened));
        opened
    }

    /// Authenticates and authorizes a request; the error has a code and a message.
    fn admit(&self, head: &Parts, body: &[u8]) -> Result<Caller, (&'static str, String)> {
        let scope = Scope {
            service: "kinesis",
            region: Some(&self.region),
        };
        let caller = self.directory.caller(scope, head, body);
        let caller = caller.map_err(words_of)?;
        let target = head.headers.get("x-amz-target");
        let target = target.and_then(|target| target.to_str().ok());
        let action = target.and_then(|target| target.split('.').nth(1));
        let action = action.unwrap_or_default();
        self.seen.note(|seen| seen.note(&caller, action));
        let checked = self.permissions.check(&caller, &self.region, action, body);
        checked.map_err(|words| ("AccessDeniedException", words))?;
        Ok(caller)
    }
}

impl Respond for Endpoint {
    fn directory(&self) -> &Directory {
        &self.directory
    }

    async fn respond(self: Arc<Self>, head: Parts, body: Bytes) -> io::Result<Answer> {
        match self.admit(&head, &body) {
            Ok(caller) => {
                self.account(&caller.account)
                    .await
                    .forward(head, body)
                    .await
            }
            Err((code, words)) => {
                self.seen
                    .note(|seen| *seen.refused.entry(code.to_owned()).or_default() += 1);
                let body = serde_json::json!({ "__type": code, "message": words });
                let json = "application/x-amz-json-1.1";
                Ok(text(StatusCode::BAD_REQUEST, json, body.to_string()))
            }
        }
    }
}

fn words_of(refused: Refused) -> (&'static str, String) {
    match refused {
        Refused::Unsigned => (
            "MissingAuthenticationTokenException",
            "Missing Authentication Token".to_owned(),
        ),
        Refused::UnknownToken => (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.".to_owned(),
        ),
        Refused::ExpiredToken => (
            "ExpiredTokenException",
            "The security token included in the request is expired".to_owned(),
        ),
        Refused::BadSignature(words) => ("InvalidSignatureException", words),
    }
}
