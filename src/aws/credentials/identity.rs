//! The identity that signs requests: credentials loaded once for all clients and renewed before
//! they expire.

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

/// The longest time that a source may take. Sources that prompt a person or call a remote service
/// are slow.
const LONGEST_LOAD: Duration = Duration::from_secs(30);

/// The credentials of one source, shared by all clients that sign with them.
///
/// They are renewed in the background before they expire, and a failing source does not affect
/// requests while they are valid. Without valid credentials, one caller loads them and the others wait for
/// its result.
#[derive(Clone)]
pub(crate) struct Identity(Arc<Shared>);

struct Shared {
    name: String,
    source: SharedCredentialsProvider,
    /// Whether the source can ever return other credentials.
    renewable: bool,
    clock: Arc<dyn Clock>,
    cached: Mutex<CachedCredentials>,
    loading: AsyncMutex<()>,
    loads: AtomicU64,
    last_failure: Mutex<Option<CredentialFailure>>,
}

impl Identity {
    /// The identity with the credentials of `source`; messages call it `name`.
    pub(in crate::aws) fn new(
        name: impl Into<String>,
        source: impl ProvideCredentials + 'static,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::with(name, source, clock, true)
    }

    /// Fixed credentials that never change.
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

    /// The name for messages.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The current credentials, for clients that sign without the SDK.
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

    /// Reports that the service considers the credentials expired. Returns whether a retry may
    /// succeed with other credentials, which are loaded first.
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

    /// The valid credentials, if any. Starts a renewal when it is due.
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

    /// Loads credentials, or waits for another caller that loads them.
    async fn load(&self) -> Provided {
        let loads_before = self.0.loads.load(Ordering::Acquire);
        let _loading = self.0.loading.lock().await;
        if let Some(credentials) = self.usable() {
            return Ok(credentials);
        }
        // A caller that waited for a failed load, or starts right after it, does not load again, so
        // that a thousand shards send one request.
        let another_load_failed = self.0.loads.load(Ordering::Acquire) > loads_before;
        let waits = self.cached().waits(self.0.clock.now());
        if let Some(failure) = self.last_failure().clone()
            && (another_load_failed || waits && failure.transient)
        {
            return Err(failure.into());
        }
        let loaded = self.fetch().await;
        self.0.loads.fetch_add(1, Ordering::AcqRel);
        *self.last_failure() = loaded.as_ref().err().cloned();
        loaded.map_err(CredentialsError::from)
    }

    /// Renews credentials while the current ones stay in use.
    async fn renew(self) {
        if let Err(failure) = self.fetch().await {
            let ends = self.cached().expires();
            let ends = ends.map_or_else(|| "never".to_owned(), |ends| ends.to_string());
            tracing::warn!(
                %failure,
                ends,
                "cannot renew credentials; using the current ones until they expire"
            );
        }
    }

    async fn fetch(&self) -> Result<Credentials, CredentialFailure> {
        let request = self.0.source.provide_credentials();
        let answer = tokio::time::timeout(LONGEST_LOAD, request).await;
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
