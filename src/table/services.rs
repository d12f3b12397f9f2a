//! What tables share: their way to the service, one client for all that are reached alike, and the
//! time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::aws::{AwsAccess, InUse, SharedCache};
use crate::error::{Error, Result};
use crate::kinesis::{Kinesis, SdkKinesis};
use crate::model::{Clock, ConnectionSettings, SystemClock};

/// Gives tables their way to the service, and the time.
#[derive(Debug)]
pub struct Services {
    source: Source,
    access: Arc<AwsAccess>,
    clock: Arc<dyn Clock>,
}

/// A client, once it is connected; tables that are reached otherwise do not wait for it.
#[derive(Debug, Clone, Default)]
struct Client(Arc<OnceCell<Arc<dyn Kinesis>>>);

impl InUse for Client {
    fn is_in_use(&self) -> bool {
        let tables = self
            .0
            .get()
            .map_or(0, |kinesis| Arc::strong_count(kinesis) - 1);
        tables > 0 || Arc::strong_count(&self.0) > 1
    }
}

#[derive(Debug)]
enum Source {
    /// The AWS SDK, with settings for tables that do not say otherwise.
    Sdk {
        defaults: Box<ConnectionSettings>,
        clients: Mutex<SharedCache<ConnectionSettings, Client>>,
    },
    /// One service for every table, whatever its options say.
    Fixed(Arc<dyn Kinesis>),
}

impl Services {
    /// The AWS SDK; `defaults` hold where a table's options leave something out.
    pub fn sdk(defaults: ConnectionSettings) -> Self {
        Self {
            source: Source::Sdk {
                defaults: Box::new(defaults),
                clients: Mutex::default(),
            },
            access: Arc::new(AwsAccess::new()),
            clock: Arc::new(SystemClock),
        }
    }

    /// This service for every table: a simulator in tests, or one's own implementation.
    pub fn fixed(kinesis: Arc<dyn Kinesis>) -> Self {
        Self {
            source: Source::Fixed(kinesis),
            access: Arc::new(AwsAccess::new()),
            clock: Arc::new(SystemClock),
        }
    }

    /// Tables take the time from `clock`: that of the simulator, where there is one.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Connections and identities, for other services than Kinesis.
    pub(crate) fn access(&self) -> Arc<AwsAccess> {
        Arc::clone(&self.access)
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// What a table's settings leave out, by the defaults.
    pub(super) fn completed(&self, settings: &ConnectionSettings) -> ConnectionSettings {
        let Source::Sdk { defaults, .. } = &self.source else {
            return settings.clone();
        };
        ConnectionSettings {
            endpoint_url: settings
                .endpoint_url
                .clone()
                .or_else(|| defaults.endpoint_url.clone()),
            region: settings.region.clone().or_else(|| defaults.region.clone()),
            credentials: settings.credentials.or(&defaults.credentials),
            allow_http: settings.allow_http || defaults.allow_http,
            proxy: settings.proxy.clone().or_else(|| defaults.proxy.clone()),
        }
    }

    /// The service for a table with these settings, which are [`completed`](Self::completed).
    pub(crate) async fn connect(&self, settings: &ConnectionSettings) -> Result<Arc<dyn Kinesis>> {
        let clients = match &self.source {
            Source::Fixed(kinesis) => return Ok(Arc::clone(kinesis)),
            Source::Sdk { clients, .. } => clients,
        };
        let client = {
            let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.get_or_insert(settings.clone(), Client::default())
        };
        let connected = client.0.get_or_try_init(|| async {
            let client = SdkKinesis::over(&self.access, settings).await?;
            Ok::<_, Error>(Arc::new(client) as Arc<dyn Kinesis>)
        });
        connected.await.cloned()
    }
}

impl Default for Services {
    fn default() -> Self {
        Self::sdk(ConnectionSettings::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CredentialSettings, Secret, StaticCredentials};

    fn settings(key: usize) -> ConnectionSettings {
        let secret = |name: &str| Secret::new(format!("{name}-{key}"));
        ConnectionSettings {
            region: Some("eu-west-1".to_owned()),
            credentials: CredentialSettings::keys(StaticCredentials {
                access_key_id: secret("key"),
                secret_key: secret("secret"),
                session_token: None,
            }),
            ..ConnectionSettings::default()
        }
    }

    #[tokio::test]
    async fn a_client_in_use_is_shared_and_a_thousand_that_nobody_uses_are_let_go() {
        let services = Services::default();
        let used = services.connect(&settings(0)).await.unwrap();
        for key in 1..=1_000 {
            services.connect(&settings(key)).await.unwrap();
        }
        let again = services.connect(&settings(0)).await.unwrap();
        assert!(Arc::ptr_eq(&used, &again));
        let Source::Sdk { clients, .. } = &services.source else {
            panic!("not the SDK");
        };
        let kept = clients.lock().unwrap().values().count();
        assert!(kept < 50, "{kept} clients");
        let identities = services.access.identity_count();
        assert!(identities < 50, "{identities} identities");
    }
}
