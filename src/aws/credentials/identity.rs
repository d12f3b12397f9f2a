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
use tokio::sync::Mutex as AsyncMutex;

use super::cached::{Action, CachedCredentials};
use super::failure::CredentialFailure;
use crate::aws::shared_cache::InUse;
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
    cached: Mutex<CachedCredentials>,
    loading: AsyncMutex<()>,
    loads: AtomicU64,
    last_failure: Mutex<Option<CredentialFailure>>,
}

impl Identity {
    /// What `source`, called `name` in messages, gives.
    pub(in crate::aws) fn new(
        name: impl Into<String>,
        source: impl ProvideCredentials + 'static,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::with(name, source, clock, true)
    }

    /// Credentials that are written down and never others.
    pub(in crate::aws) fn fixed(
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
            cached: Mutex::default(),
            loading: AsyncMutex::default(),
            loads: AtomicU64::new(0),
            last_failure: Mutex::default(),
        }))
    }

    /// What it is, for messages.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The credentials as they are now, for who signs without the SDK.
    #[cfg(feature = "aws")]
    pub(crate) async fn keys(&self) -> Result<StaticCredentials, CredentialFailure> {
        let credentials = self.provide_credentials().await;
        let credentials = credentials.map_err(|error| CredentialFailure::of(&error))?;
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
            self.cached().reject(now);
        }
        self.0.renewable
    }

    fn cached(&self) -> MutexGuard<'_, CachedCredentials> {
        self.0.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_failure(&self) -> MutexGuard<'_, Option<CredentialFailure>> {
        let failure = self.0.last_failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that live, if any; begins to renew them when it is time.
    fn usable(&self) -> Option<Credentials> {
        let answer = self.cached().next_action(self.0.clock.now());
        match answer {
            Action::Use(credentials) => Some(credentials),
            Action::Renew(credentials) => {
                tokio::spawn(self.clone().renew());
                Some(credentials)
            }
            Action::Load => None,
        }
    }

    /// Loads them, or waits for another caller who does.
    async fn load(&self) -> Provided {
        let loads_before = self.0.loads.load(Ordering::Acquire);
        let _loading = self.0.loading.lock().await;
        if let Some(credentials) = self.usable() {
            return Ok(credentials);
        }
        // Whoever waited for a load that failed, or comes right after it, does not ask again: a thousand
        // shards are one caller.
        let failed_meanwhile = self.0.loads.load(Ordering::Acquire) > loads_before;
        let waits = self.cached().waits(self.0.clock.now());
        if let Some(failure) = self.last_failure().clone()
            && (failed_meanwhile || waits && failure.passing)
        {
            return Err(failure.into());
        }
        let loaded = self.ask().await;
        self.0.loads.fetch_add(1, Ordering::AcqRel);
        *self.last_failure() = loaded.as_ref().err().cloned();
        loaded.map_err(CredentialsError::from)
    }

    /// Renews them while those there are still used.
    async fn renew(self) {
        if let Err(failure) = self.ask().await {
            let ends = self.cached().expires();
            let ends = ends.map_or_else(|| "never".to_owned(), |ends| ends.to_string());
            tracing::warn!(
                %failure,
                ends,
                "credentials could not be renewed, the old ones are used until they end"
            );
        }
    }

    async fn ask(&self) -> Result<Credentials, CredentialFailure> {
        let asking = self.0.source.provide_credentials();
        let answer = tokio::time::timeout(LONGEST_LOAD, asking).await;
        let answer =
            answer.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LONGEST_LOAD)));
        let now = self.0.clock.now();
        let loaded = match answer {
            Ok(credentials) => {
                let taken = self.cached().loaded(&credentials, now);
                taken.map(|()| credentials)
            }
            Err(error) => Err(CredentialFailure::of(&error)),
        };
        loaded.map_err(|failure| {
            self.cached().failed(now, fastrand::f64());
            failure.in_context(&self.0.name)
        })
    }
}

impl ProvideCredentials for Identity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.usable() {
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
