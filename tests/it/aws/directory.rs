//! Users, roles and sessions known to IAM and STS, and the authentication of requests.

mod role;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use datafusion_kinesis::model::{Clock, SystemClock};
use hyper::http::request::Parts;

pub(crate) use self::role::Role;
use super::signature::Signature;

/// Users, roles and sessions of all accounts, and the clock of AWS.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    known: Mutex<Known>,
    seconds_ahead: AtomicI64,
}

#[derive(Debug, Default)]
struct Known {
    /// By access key id, like sessions.
    users: BTreeMap<String, User>,
    sessions: BTreeMap<String, Session>,
    /// By ARN.
    roles: BTreeMap<String, Role>,
    keys: u64,
}

/// A user with a long-term key.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    account: String,
    pub(crate) arn: String,
}

impl User {
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::new(&self.access_key_id, &self.secret, None, None, "user")
    }
}

/// A session of an assumed role.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) access_key_id: String,
    pub(super) secret: String,
    pub(super) token: String,
    pub(super) arn: String,
    account: String,
    role: String,
    /// In the time of AWS.
    pub(super) expires_at: SystemTime,
}

/// The signer of a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) access_key_id: String,
    pub(super) account: String,
    /// ARN of the user or session.
    pub(super) arn: String,
    /// The role of the session.
    pub(super) role: Option<String>,
}

/// The scope that a signature must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) service: &'a str,
    /// `None` accepts any region.
    pub(super) region: Option<&'a str>,
}

/// Why a request cannot be authenticated.
#[derive(Debug)]
pub(super) enum Refused {
    Unsigned,
    UnknownToken,
    ExpiredToken,
    BadSignature(String),
}

impl Directory {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    pub(crate) fn add_user(&self, account: &str, name: &str) -> User {
        let mut known = self.known();
        let user = User {
            access_key_id: known.fresh_key("AKIA"),
            secret: random(40),
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:user/{name}"),
        };
        known.users.insert(user.access_key_id.clone(), user.clone());
        user
    }

    /// Secret keys and tokens of all users and of all sessions so far.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let known = self.known();
        let users = known.users.values().map(|user| user.secret.clone());
        let sessions = known.sessions.values();
        let sessions = sessions.flat_map(|session| [session.secret.clone(), session.token.clone()]);
        users.chain(sessions).collect()
    }

    /// Adds a role and returns its ARN.
    pub(crate) fn add_role(&self, role: Role) -> String {
        let arn = role.arn();
        self.known().roles.insert(arn.clone(), role);
        arn
    }

    /// Changes a role for later sessions.
    pub(crate) fn change_role(&self, arn: &str, change: impl FnOnce(&mut Role)) {
        change(self.known().roles.get_mut(arn).unwrap());
    }

    pub(super) fn role(&self, arn: &str) -> Option<Role> {
        self.known().roles.get(arn).cloned()
    }

    pub(super) fn start_session(&self, role: &Role, name: &str, seconds: u64) -> Session {
        let life = role.session_millis.map(Duration::from_millis);
        let expires_at = self.now() + life.unwrap_or(Duration::from_secs(seconds));
        let mut known = self.known();
        let session = Session {
            access_key_id: known.fresh_key("ASIA"),
            secret: random(40),
            token: format!("IQoJ{}==", random(120)),
            arn: format!(
                "arn:aws:sts::{}:assumed-role/{}/{name}",
                role.account, role.name
            ),
            account: role.account.clone(),
            role: role.arn(),
            expires_at,
        };
        let key = session.access_key_id.clone();
        known.sessions.insert(key, session.clone());
        session
    }

    /// Ends all sessions of a role now, regardless of the expiry that clients know.
    pub(crate) fn end_sessions(&self, role: &str) {
        let now = self.now();
        let mut known = self.known();
        let sessions = known.sessions.values_mut();
        for session in sessions.filter(|session| session.role == role) {
            session.expires_at = session.expires_at.min(now);
        }
    }

    /// Waits until all sessions of a role have expired.
    pub(crate) async fn until_over(&self, role: &str) {
        while let Some(left) = self.left(role) {
            tokio::time::sleep(left).await;
        }
    }

    /// Remaining lifetime of the last session of a role.
    fn left(&self, role: &str) -> Option<Duration> {
        let now = self.now();
        let known = self.known();
        let sessions = known.sessions.values();
        let sessions = sessions.filter(|session| session.role == role);
        let left = sessions.filter_map(|session| session.expires_at.duration_since(now).ok());
        left.max().filter(|left| !left.is_zero())
    }

    /// Sets how far the clock of AWS is ahead of the local one; negative if behind.
    pub(crate) fn set_seconds_ahead(&self, seconds: i64) {
        self.seconds_ahead.store(seconds, Ordering::Relaxed);
    }

    /// The time at AWS.
    pub(super) fn now(&self) -> SystemTime {
        let ahead = self.seconds_ahead.load(Ordering::Relaxed) * 1_000;
        let millis = SystemClock.now().0 + ahead;
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis.try_into().unwrap())
    }

    /// Authenticates a request like all services do.
    pub(super) fn caller(
        &self,
        scope: Scope<'_>,
        head: &Parts,
        body: &[u8],
    ) -> Result<Caller, Refused> {
        let signature = Signature::of(head).ok_or(Refused::Unsigned)?;
        if scope
            .region
            .is_some_and(|region| region != signature.region)
        {
            let words = "Credential should be scoped to a valid region.";
            return Err(Refused::BadSignature(words.to_owned()));
        }
        if scope.service != signature.service {
            let service = scope.service;
            let words = format!("Credential should be scoped to correct service: '{service}'.");
            return Err(Refused::BadSignature(words));
        }
        let now = self.now();
        let (caller, secret) = self.known().owner(&signature, now)?;
        let right = signature.check(&secret, now, head, body);
        right.map(|()| caller).map_err(Refused::BadSignature)
    }
}

impl Known {
    fn fresh_key(&mut self, prefix: &str) -> String {
        self.keys += 1;
        format!("{prefix}{:016}", self.keys)
    }

    /// The owner of a key, and its secret.
    fn owner(&self, signature: &Signature, now: SystemTime) -> Result<(Caller, String), Refused> {
        let access_key_id = signature.access_key_id.clone();
        if let Some(session) = self.sessions.get(&access_key_id) {
            if signature.session_token.as_ref() != Some(&session.token) {
                return Err(Refused::UnknownToken);
            }
            if session.expires_at <= now {
                return Err(Refused::ExpiredToken);
            }
            let caller = Caller {
                access_key_id,
                account: session.account.clone(),
                arn: session.arn.clone(),
                role: Some(session.role.clone()),
            };
            return Ok((caller, session.secret.clone()));
        }
        let user = self.users.get(&access_key_id);
        let user = user.filter(|_| signature.session_token.is_none());
        let user = user.ok_or(Refused::UnknownToken)?;
        let caller = Caller {
            access_key_id,
            account: user.account.clone(),
            arn: user.arn.clone(),
            role: None,
        };
        Ok((caller, user.secret.clone()))
    }
}

/// Random text in the alphabet of secrets.
fn random(length: usize) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = || char::from(letters[fastrand::usize(..letters.len())]);
    std::iter::repeat_with(letter).take(length).collect()
}
