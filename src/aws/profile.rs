//! A profile of the files that AWS tools share, read anew each time credentials are loaded.

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, future};

use super::access::ProviderParts;

/// The provider of the SDK reads the files once; here a token that somebody has put into them is found.
#[derive(Debug)]
pub(super) struct Profile {
    /// Its name; none: what the environment says.
    name: Option<String>,
    parts: ProviderParts,
}

impl Profile {
    pub(super) fn new(name: Option<String>, parts: ProviderParts) -> Self {
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
