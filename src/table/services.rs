//! What tables share: the credentials, the clock, and one Kinesis client for each set of connection
//! settings.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::aws::{AwsAccess, InUse, SharedCache};
use crate::error::{Error, Result};
use crate::kinesis::{Kinesis, SdkKinesis};
use crate::model::{Clock, ConnectionSettings, SystemClock, WireFormat};

/// Provides tables with Kinesis clients and a clock.
#[derive(Debug)]
pub struct Services {
    source: ClientSource,
    access: Arc<AwsAccess>,
    clock: Arc<dyn Clock>,
}

/// A client that is connected on first use. Tables with other settings do not wait for it.
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
enum ClientSource {
    /// The AWS SDK, with default settings for tables.
    Sdk {
        defaults: Box<ConnectionSettings>,
        clients: Mutex<SharedCache<ConnectionSettings, Client>>,
    },
    /// One client for every table, regardless of its options.
    Fixed(Arc<dyn Kinesis>),
}

impl Services {
    /// Uses the AWS SDK. `defaults` apply to settings that a table's options leave out.
    pub fn sdk(defaults: ConnectionSettings) -> Self {
        Self {
            source: ClientSource::Sdk {
                defaults: Box::new(defaults),
                clients: Mutex::default(),
            },
            access: Arc::new(AwsAccess::new()),
            clock: Arc::new(SystemClock),
        }
    }

    /// Uses `kinesis` for every table: a simulator in tests, or another implementation.
    pub fn fixed(kinesis: Arc<dyn Kinesis>) -> Self {
        Self {
            source: ClientSource::Fixed(kinesis),
            access: Arc::new(AwsAccess::new()),
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets the clock of tables, for example that of a simulator.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Connections and credentials, for services other than Kinesis.
    pub(crate) fn access(&self) -> Arc<AwsAccess> {
        Arc::clone(&self.access)
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// `settings` with the defaults filled in.
    pub(super) fn completed(&self, settings: &ConnectionSettings) -> ConnectionSettings {
        let ClientSource::Sdk { defaults, .. } = &self.source else {
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
            wire_format: match settings.wire_format {
                WireFormat::Auto => defaults.wire_format,
                format => format,
            },
        }
    }

    /// The client for `settings`, which are [`completed`](Self::completed).
    pub(crate) async fn connect(&self, settings: &ConnectionSettings) -> Result<Arc<dyn Kinesis>> {
        let clients = match &self.source {
            ClientSource::Fixed(kinesis) => return Ok(Arc::clone(kinesis)),
            ClientSource::Sdk { clients, .. } => clients,
        };
        let client = {
            let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.get_or_insert(settings.clone(), Client::default())
        };
        let connected = client.0.get_or_try_init(|| async {
            let client = SdkKinesis::shared(&self.access, settings).await?;
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
    async fn clients_in_use_are_shared_and_unused_ones_are_evicted() {
        let services = Services::default();
        let used = services.connect(&settings(0)).await.unwrap();
        for key in 1..=1_000 {
            services.connect(&settings(key)).await.unwrap();
        }
        let again = services.connect(&settings(0)).await.unwrap();
        assert!(Arc::ptr_eq(&used, &again));
        let ClientSource::Sdk { clients, .. } = &services.source else {
            panic!("not the SDK");
        };
        let kept = clients.lock().unwrap().values().count();
        assert!(kept < 50, "{kept} clients");
        let identities = services.access.identity_count();
        assert!(identities < 50, "{identities} identities");
    }
}
