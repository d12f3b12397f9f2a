//! Kinesis as accounts see it: who calls is found out, and has the streams of its account only.

mod account;
mod denials;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use datafusion_kinesis::kinesis::InMemoryKinesis;
use hyper::StatusCode;
use hyper::http::request::Parts;
use tokio::sync::Mutex;

use self::account::Account;
use self::denials::Denials;
use super::book::Book;
use super::directory::{Caller, Directory, Refused, Scope};
use super::serving::{Answer, Respond, Server, text};

/// A Kinesis of one region for all accounts; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Accounts {
    server: Server,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct Gate {
    directory: Arc<Directory>,
    region: String,
    denials: Denials,
    accounts: Mutex<BTreeMap<String, Arc<Account>>>,
    seen: Book<Seen>,
}

/// Who has called.
#[derive(Debug, Default)]
struct Seen {
    /// By account and action; denied calls included.
    calls: BTreeMap<(String, String), u64>,
    keys: BTreeMap<String, BTreeSet<String>>,
    /// By code of the error.
    refused: BTreeMap<String, u64>,
}

impl Accounts {
    pub(crate) async fn start(directory: &Arc<Directory>, region: &str) -> Self {
        let gate = Arc::new(Gate {
            directory: Arc::clone(directory),
            region: region.to_owned(),
            denials: Denials::default(),
            accounts: Mutex::default(),
            seen: Book::new(Seen::default()),
        });
        Self {
            server: Server::start(Arc::clone(&gate)).await,
            gate,
        }
    }

    pub(crate) fn endpoint_url(&self) -> String {
        self.server.endpoint_url()
    }

    /// What an account has, past the gate.
    pub(crate) async fn kinesis(&self, account: &str) -> Arc<InMemoryKinesis> {
        Arc::clone(&self.gate.account(account).await.kinesis)
    }

    /// From now on a user, a role or a session, by its ARN, may not do `action`
    /// (`kinesis:PutRecords`).
    pub(crate) fn deny(&self, principal: &str, action: &str) {
        self.gate.denials.deny(principal, action);
    }

    /// Takes back a [`deny`](Self::deny).
    pub(crate) fn allow(&self, principal: &str, action: &str) {
        self.gate.denials.allow(principal, action);
    }

    /// How often an account has called an action (`PutRecords`).
    pub(crate) fn calls(&self, account: &str, action: &str) -> u64 {
        self.gate.seen.read(|seen| seen.calls(account, action))
    }

    /// Returns once an account has called an action at least `count` times.
    pub(crate) async fn until_called(&self, account: &str, action: &str, count: u64) {
        let enough = |seen: &Seen| seen.calls(account, action) >= count;
        self.gate.seen.until(enough).await;
    }

    /// The access keys that an account has called with.
    pub(crate) fn keys(&self, account: &str) -> BTreeSet<String> {
        let keys = |seen: &Seen| seen.keys.get(account).cloned();
        self.gate.seen.read(keys).unwrap_or_default()
    }

    /// How many requests failed at the gate with an error of this code.
    pub(crate) fn refused(&self, code: &str) -> u64 {
        let count = |seen: &Seen| seen.refused.get(code).copied();
        self.gate.seen.read(count).unwrap_or(0)
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

impl Gate {
    async fn account(&self, account: &str) -> Arc<Account> {
        let mut accounts = self.accounts.lock().await;
        if let Some(known) = accounts.get(account) {
            return Arc::clone(known);
        }
        let opened = Arc::new(Account::open(account, &self.region).await);
        accounts.insert(account.to_owned(), Arc::clone(&opened));
        opened
    }

    /// Whose account the request goes to; else code and words.
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
        let checked = self.denials.check(&caller, &self.region, action, body);
        checked.map_err(|words| ("AccessDeniedException", words))?;
        Ok(caller)
    }
}

impl Respond for Gate {
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
