//! Who signs requests: credentials that are loaded once for all who use them, and renewed in time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Provided, SharedCredentialsProvider, future,
};
use tokio::sync::Mutex as Turns;

use super::held::{Answer, Held};
use super::recent::InUse;
use super::trouble::CredentialTrouble;
use crate::model::Clock;
#[cfg(feature = "aws")]
use crate::model::{Secret, StaticCredentials};

/// The longest that a source may take; those that ask a person or a far-away service are slow.
const LONGEST_LOAD: Duration = Duration::from_secs(30);

/// The credentials of one source, shared by all clients that sign with them.
///
/// They are renewed in the background before they end, and a source that fails stops nobody while they
/// live. Where there are none, one caller loads them and the others wait for what comes of it.
#[derive(Clone)]
pub(crate) struct Identity(Arc<Shared>);

struct Shared {
    name: String,
    source: SharedCredentialsProvider,
    /// Whether the source can ever give others.
    renewable: bool,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
    turns: Turns<()>,
    loads: AtomicU64,
    last_trouble: Mutex<Option<CredentialTrouble>>,
}

impl Identity {
    /// What `source`, called `name` in messages, gives.
    pub(super) fn new(
        name: impl Into<String>,
        source: impl ProvideCredentials + 'static,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::with(name, source, clock, true)
    }

    /// Credentials that are written down and never others.
    pub(super) fn fixed(
        name: impl Into<String>,
        credentials: Credentials,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::with(name, credentials, clock, false)
    }

    fn with(
        name: impl Into<String>,
        source: impl ProvideCredentials + 'static,
        clock: Arc<dyn Clock>,
        renewable: bool,
    ) -> Self {
        Self(Arc::new(Shared {
            name: name.into(),
            source: SharedCredentialsProvider::new(source),
            renewable,
            clock,
            held: Mutex::default(),
            turns: Turns::default(),
            loads: AtomicU64::new(0),
            last_trouble: Mutex::default(),
        }))
    }

    /// What it is, for messages.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The credentials as they are now, for who signs without the SDK.
    #[cfg(feature = "aws")]
    pub(crate) async fn keys(&self) -> Result<StaticCredentials, CredentialTrouble> {
        let credentials = self.provide_credentials().await;
        let credentials = credentials.map_err(|error| CredentialTrouble::of(&error))?;
        Ok(StaticCredentials {
            access_key_id: Secret::new(credentials.access_key_id()),
            secret_key: Secret::new(credentials.secret_access_key()),
            session_token: credentials.session_token().map(Secret::new),
        })
    }

    /// The service says that the credentials have expired. Whether the same request may succeed with
    /// others, which are loaded before it is sent.
    pub(crate) fn expired(&self) -> bool {
        if self.0.renewable {
            let now = self.0.clock.now();
            self.held().reject(now);
        }
        self.0.renewable
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_trouble(&self) -> MutexGuard<'_, Option<CredentialTrouble>> {
        let trouble = self.0.last_trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that live, if any; begins to renew them when it is time.
    fn living(&self) -> Option<Credentials> {
        let answer = self.held().answer(self.0.clock.now());
        match answer {
            Answer::Use(credentials) => Some(credentials),
            Answer::Renew(credentials) => {
                tokio::spawn(self.clone().renew());
                Some(credentials)
            }
            Answer::Load => None,
        }
    }

    /// Loads them, or waits for another caller who does.
    async fn load(&self) -> Provided {
        let seen = self.0.loads.load(Ordering::Acquire);
        let _turn = self.0.turns.lock().await;
        if let Some(credentials) = self.living() {
            return Ok(credentials);
        }
        // Whoever waited for a load that failed, or comes right after it, does not ask again: a thousand
        // shards are one caller.
        let failed_meanwhile = self.0.loads.load(Ordering::Acquire) > seen;
        let waits = self.held().waits(self.0.clock.now());
        if let Some(trouble) = self.last_trouble().clone()
            && (failed_meanwhile || waits && trouble.passing)
        {
            return Err(trouble.into());
        }
        let loaded = self.ask().await;
        self.0.loads.fetch_add(1, Ordering::AcqRel);
        *self.last_trouble() = loaded.as_ref().err().cloned();
        loaded.map_err(CredentialsError::from)
    }

    /// Renews them while those there are still used.
    async fn renew(self) {
        if let Err(trouble) = self.ask().await {
            let ends = self.held().ends();
            let ends = ends.map_or_else(|| "never".to_owned(), |ends| ends.to_string());
            tracing::warn!(
                %trouble,
                ends,
                "credentials could not be renewed, the old ones are used until they end"
            );
        }
    }

    async fn ask(&self) -> Result<Credentials, CredentialTrouble> {
        let asking = self.0.source.provide_credentials();
        let answer = tokio::time::timeout(LONGEST_LOAD, asking).await;
        let answer =
            answer.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LONGEST_LOAD)));
        let now = self.0.clock.now();
        let loaded = match answer {
            Ok(credentials) => {
                let taken = self.held().loaded(&credentials, now);
                taken.map(|()| credentials)
            }
            Err(error) => Err(CredentialTrouble::of(&error)),
        };
        loaded.map_err(|trouble| {
            self.held().failed(now, fastrand::f64());
            trouble.in_context(&self.0.name)
        })
    }
}

impl ProvideCredentials for Identity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.living() {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => future::ProvideCredentials::new(self.load()),
        }
    }
}

impl InUse for Identity {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.0.name).finish()
    }
}

#[cfg(test)]
mod tests;
