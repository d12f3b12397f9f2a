//! Credentials of a profile in the shared AWS files, which are read again for each load.

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, future};

use aws_sdk_sts::config::SharedHttpClient;

/// The parts that the SDK's providers are configured with.
#[derive(Debug, Clone)]
pub(in crate::aws) struct ProviderParts {
    http: Option<SharedHttpClient>,
    region: Option<Region>,
}

impl ProviderParts {
    /// The region and HTTP client of `sdk`.
    pub(in crate::aws) fn of(sdk: &SdkConfig) -> Self {
        Self {
            http: sdk.http_client(),
            region: sdk.region().cloned(),
        }
    }

    /// A configuration whose files have not been read yet.
    pub(in crate::aws) fn provider_config(&self) -> ProviderConfig {
        let config = ProviderConfig::default().with_region(self.region.clone());
        match &self.http {
            Some(http) => config.with_http_client(http.clone()),
            None => config,
        }
    }
}

/// The SDK's provider reads the files only once; this one reads them again for each load.
#[derive(Debug)]
pub(in crate::aws) struct Profile {
    /// `None` means the profile that the environment selects.
    name: Option<String>,
    parts: ProviderParts,
}

impl Profile {
    pub(in crate::aws) fn new(name: Option<String>, parts: ProviderParts) -> Self {
        Self { name, parts }
    }

    async fn load(&self) -> Provided {
        let mut provider =
            ProfileFileCredentialsProvider::builder().configure(&self.parts.provider_config());
        if let Some(name) = &self.name {
            provider = provider.profile_name(name);
        }
        provider.build().provide_credentials().await
    }
}

impl ProvideCredentials for Profile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}
