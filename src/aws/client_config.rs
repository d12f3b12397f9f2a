//! Configuration of service clients: HTTP, region and identity.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use super::credentials::{
    AssumeRole, CredentialProviders, DefaultChain, Identity, Profile, ProviderParts,
};
use super::endpoint::refuse_plain_http;
use super::network::{
    CONNECT_TIMEOUT, CertificateSource, Client, Network, Proxies, READ_TIMEOUT, connector,
};
use super::shared_cache::{InUse, SharedCache};
use crate::error::Result;
use crate::model::{
    BaseCredentials, Clock, ConnectionSettings, CredentialSettings, ProxySettings, RoleSettings,
    Secret, StaticCredentials, SystemClock, region_of_endpoint,
};

/// A page of 10 MiB over a slow connection is the slowest request.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Number of STS requests in a row before loading credentials fails.
const STS_ATTEMPTS: u32 = 3;

/// Timeouts of a request and of its phases.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build()
}

/// Creates client configurations. Clients with the same settings share connections and an identity.
pub(crate) struct AwsAccess {
    pub(super) clock: Arc<dyn Clock>,
    proxies: Arc<Proxies>,
    connections: Mutex<SharedCache<NetworkKey, Connections>>,
    identities: Mutex<SharedCache<IdentityKey, Identity>>,
}

/// Settings that determine a network.
type NetworkKey = (Option<ProxySettings>, CertificateSource);

/// Settings that determine an identity. STS and profiles may give different credentials in another
/// region.
type IdentityKey = (CredentialSettings, Option<String>, NetworkKey);

/// A network with its open connections.
#[derive(Debug, Clone)]
struct Connections {
    network: Arc<Network>,
    client: Client,
    connector: SharedHttpConnector,
}

impl InUse for Connections {
    fn is_in_use(&self) -> bool {
        self.client.is_in_use()
    }
}

/// What service clients are built from. The endpoint depends on the service and is not included.
#[derive(Debug, Clone)]
pub(crate) struct ClientConfig {
    /// HTTP client, region if given or found, and credentials.
    pub(crate) sdk: SdkConfig,
    /// The identity that signs requests.
    pub(crate) identity: Identity,
    /// Proxies and certificates, for clients that do not use the SDK.
    pub(crate) network: Arc<Network>,
    /// Sends requests that no client of the SDK sends.
    pub(crate) connector: SharedHttpConnector,
}

impl ClientConfig {
    /// A connector with connections of its own.
    pub(crate) fn new_connector(&self) -> SharedHttpConnector {
        connector(&self.network)
    }
}

impl AwsAccess {
    pub(crate) fn new() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        Self {
            clock: Arc::new(SystemClock),
            proxies: Arc::new(Proxies::of_environment(variable)),
            connections: Mutex::default(),
            identities: Mutex::default(),
        }
    }

    /// The clock of signatures.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    fn connections(&self, key: &NetworkKey) -> Result<Connections> {
        let known = self.connections.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = known.get(key) {
            return Ok(connections);
        }
        let (proxy, certificates) = key;
        let network = Arc::new(Network {
            proxies: match proxy {
                Some(proxy) => Arc::new(Proxies::of_options(proxy)),
                None => Arc::clone(&self.proxies),
            },
            certificates: Arc::new(certificates.load()?),
        });
        let created = Connections {
            client: Client::new(&network),
            connector: connector(&network),
            network,
        };
        Ok(known.get_or_insert(key.clone(), created))
    }

    /// The configuration of clients with these settings.
    ///
    /// # Errors
    /// An endpoint is unencrypted without permission, a provider is unknown or refuses its
    /// parameter, or the file of trusted certificates cannot be used.
    pub(crate) async fn of(&self, settings: &ConnectionSettings) -> Result<ClientConfig> {
        let mut key = (settings.proxy.clone(), CertificateSource::System);
        // This loads only the region, at most from instance metadata, which is unencrypted.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.connections(&key)?.client)
            .no_credentials();
        if let Some(BaseCredentials::Profile(name)) = &settings.credentials.base {
            // A profile may also set the region and the certificates.
            loader = loader.profile_name(name);
        }
        let endpoint = settings.endpoint_url.as_deref();
        let region = settings.region.clone();
        if let Some(region) = region.or_else(|| endpoint.and_then(region_of_endpoint)) {
            loader = loader.region(Region::new(region));
        }
        let sdk = loader.load().await;
        refuse_plain_http(settings, sdk.endpoint_url())?;
        key.1 = CertificateSource::of(&sdk);
        let Connections {
            network,
            client,
            connector,
        } = self.connections(&key)?;
        let sdk = sdk.to_builder().http_client(client).build();
        let identity = self.identity(&settings.credentials, &sdk, &key)?;
        let sdk = signing(&sdk, &identity);
        Ok(ClientConfig {
            sdk,
            identity,
            network,
            connector,
        })
    }

    /// The identity of these credentials, shared by all their clients.
    fn identity(
        &self,
        credentials: &CredentialSettings,
        sdk: &SdkConfig,
        network: &NetworkKey,
    ) -> Result<Identity> {
        let region = sdk.region().map(Region::to_string);
        let key = (credentials.clone(), region, network.clone());
        if let Some(known) = self.identities().get(&key) {
            return Ok(known);
        }
        let created = match &credentials.role {
            None => self.base(credentials.base.as_ref(), sdk)?,
            Some(role) => self.assumed(credentials.base.clone(), role, sdk, network)?,
        };
        // If another caller created it first, use theirs.
        Ok(self.identities().get_or_insert(key, created))
    }

    fn identities(&self) -> MutexGuard<'_, SharedCache<IdentityKey, Identity>> {
        let identities = self.identities.lock();
        identities.unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of cached identities.
    #[cfg(test)]
    pub(crate) fn identity_count(&self) -> usize {
        self.identities().values().count()
    }

    fn base(&self, base: Option<&BaseCredentials>, sdk: &SdkConfig) -> Result<Identity> {
        let clock = Arc::clone(&self.clock);
        let parts = ProviderParts::of(sdk);
        Ok(match base {
            None => Identity::new("the default chain", DefaultChain::new(&parts), clock),
            Some(BaseCredentials::Static(keys)) => {
                Identity::fixed("the access key of the options", static_keys(keys), clock)
            }
            Some(BaseCredentials::Profile(name)) => {
                let profile = Profile::new(Some(name.clone()), parts);
                Identity::new(format!("profile '{name}'"), profile, clock)
            }
            Some(BaseCredentials::Provider { name, param }) => {
                let provider = CredentialProviders::make(name, param.as_ref())?;
                Identity::new(format!("provider '{name}'"), provider, clock)
            }
        })
    }

    /// The last role of a chain, assumed by the identity of the roles before it.
    fn assumed(
        &self,
        base: Option<BaseCredentials>,
        role: &RoleSettings,
        sdk: &SdkConfig,
        network: &NetworkKey,
    ) -> Result<Identity> {
        let Some((last, before)) = role.chain.split_last() else {
            return self.identity(&CredentialSettings { base, role: None }, sdk, network);
        };
        let before = (!before.is_empty()).then(|| RoleSettings {
            chain: before.to_vec(),
            external_id: None,
            session_length: RoleSettings::SESSION_LENGTH,
            ..role.clone()
        });
        let caller = self.identity(&CredentialSettings { base, role: before }, sdk, network)?;
        let config = sts_config(&signing(sdk, &caller), Some(role)).build();
        let client = aws_sdk_sts::Client::from_conf(config);
        let assume = AssumeRole::new(client, caller, last.clone(), role.clone());
        let clock = Arc::clone(&self.clock);
        Ok(Identity::new(format!("role '{last}'"), assume, clock))
    }
}

impl fmt::Debug for AwsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.identities();
        f.debug_list().entries(known.values()).finish()
    }
}

/// Signs requests of `sdk` as `identity`, which replaces the credential cache of each client.
fn signing(sdk: &SdkConfig, identity: &Identity) -> SdkConfig {
    sdk.to_builder()
        .credentials_provider(SharedCredentialsProvider::new(identity.clone()))
        .identity_cache(IdentityCache::no_cache())
        .build()
}

pub(super) fn sts_config(
    sdk: &SdkConfig,
    role: Option<&RoleSettings>,
) -> aws_sdk_sts::config::Builder {
    let config = aws_sdk_sts::config::Builder::from(sdk)
        .retry_config(RetryConfig::standard().with_max_attempts(STS_ATTEMPTS))
        .timeout_config(timeouts());
    let Some(url) = role.and_then(|role| role.endpoint_url.as_deref()) else {
        return config;
    };
    let config = config.endpoint_url(url);
    match region_of_endpoint(url) {
        Some(region) => config.region(Region::new(region)),
        None => config,
    }
}

fn static_keys(keys: &StaticCredentials) -> Credentials {
    let token = keys.session_token.as_ref().map(Secret::reveal);
    Credentials::new(
        keys.access_key_id.reveal(),
        keys.secret_key.reveal(),
        token.map(str::to_owned),
        None,
        "options",
    )
}
