//! The default credential chain, used if the options name no credentials.

use std::error::Error as StdError;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Provided, SharedCredentialsProvider, future,
};

use super::failure::CredentialFailure;
use super::profile::{Profile, ProviderParts};
use crate::aws::error_chain::causes;

/// The source in the chain that provided some credentials, attached to them as a property.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "cli"),
    expect(dead_code, reason = "shown by the command")
)]
pub(in crate::aws) struct ChainSource(pub(in crate::aws) &'static str);

/// The sources and order of the AWS SDK for Java, which the Spark connector uses. The SDK for Rust
/// tries the profile before the web identity.
#[derive(Debug)]
pub(in crate::aws) struct DefaultChain {
    sources: Vec<(&'static str, SharedCredentialsProvider)>,
}

impl DefaultChain {
    pub(in crate::aws) fn new(parts: &ProviderParts) -> Self {
        let config = parts.provider_config();
        let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&config);
        let container = EcsCredentialsProvider::builder().configure(&config);
        let instance = ImdsCredentialsProvider::builder().configure(&config);
        let environment = EnvironmentVariableCredentialsProvider::new();
        Self::of(vec![
            ("environment", SharedCredentialsProvider::new(environment)),
            (
                "web identity",
                SharedCredentialsProvider::new(web_identity.build()),
            ),
            (
                "profile",
                SharedCredentialsProvider::new(Profile::new(None, parts.clone())),
            ),
            (
                "container",
                SharedCredentialsProvider::new(container.build()),
            ),
            ("instance", SharedCredentialsProvider::new(instance.build())),
        ])
    }

    fn of(sources: Vec<(&'static str, SharedCredentialsProvider)>) -> Self {
        Self { sources }
    }

    /// Returns the credentials of the first configured source. A configured source that fails ends
    /// the search, because the next source could belong to another caller.
    async fn search(&self) -> Provided {
        let mut tried = Vec::with_capacity(self.sources.len());
        for (source, provider) in &self.sources {
            let error = match provider.provide_credentials().await {
                Ok(mut credentials) => {
                    credentials.set_property(ChainSource(source));
                    return Ok(credentials);
                }
                Err(error) => error,
            };
            tried.push(format!("{source}: {}", reason(&error)));
            if !matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
                let failure = CredentialFailure::of(&error);
                return Err(failure.with_text(listed(&tried)).into());
            }
        }
        Err(CredentialFailure::permanent(listed(&tried)).into())
    }
}

/// Why a source has no credentials, without the SDK's generic message.
fn reason(error: &CredentialsError) -> String {
    match (error, error.source()) {
        (CredentialsError::CredentialsNotLoaded(_), Some(cause)) => causes(cause),
        (CredentialsError::CredentialsNotLoaded(_), None) => "not configured".to_owned(),
        _ => causes(error),
    }
}

fn listed(tried: &[String]) -> String {
    format!("no credentials found: {}", tried.join("; "))
}

impl ProvideCredentials for DefaultChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.search())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::network::{CertificateSource, Client, Network};
    use aws_config::SdkConfig;
    use aws_credential_types::Credentials;
    use std::sync::Arc;

    #[derive(Debug)]
    enum Provider {
        Empty,
        Broken,
        Full(&'static str),
    }

    impl ProvideCredentials for Provider {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(match self {
                Self::Empty => Err(CredentialsError::not_loaded("nothing is set")),
                Self::Broken => Err(CredentialsError::provider_error("answered 503")),
                Self::Full(name) => Ok(Credentials::new(*name, "secret", None, None, "test")),
            })
        }
    }

    fn chain(sources: impl IntoIterator<Item = (&'static str, Provider)>) -> DefaultChain {
        let sources = sources.into_iter();
        DefaultChain::of(
            sources
                .map(|(name, source)| (name, SharedCredentialsProvider::new(source)))
                .collect(),
        )
    }

    async fn failure(chain: DefaultChain) -> CredentialFailure {
        let error = chain
            .provide_credentials()
            .await
            .expect_err("no credentials");
        CredentialFailure::of(&error)
    }

    #[tokio::test]
    async fn the_first_configured_source_wins() {
        let chain = chain([
            ("one", Provider::Empty),
            ("two", Provider::Full("second")),
            ("three", Provider::Full("third")),
        ]);
        let found = chain.provide_credentials().await.unwrap();
        assert_eq!(found.access_key_id(), "second");
        assert_eq!(found.get_property::<ChainSource>().unwrap().0, "two");
    }

    #[tokio::test]
    async fn without_credentials_all_sources_are_listed() {
        let failure = failure(chain([("one", Provider::Empty), ("two", Provider::Empty)])).await;
        assert!(!failure.transient);
        let text = failure.to_string();
        assert!(
            text.contains("one: ") && text.contains("two: ") && text.contains("nothing is set"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_failing_source_ends_the_search_with_a_transient_failure() {
        let failure = failure(chain([
            ("one", Provider::Empty),
            ("two", Provider::Broken),
            ("three", Provider::Full("third")),
        ]))
        .await;
        assert!(failure.transient);
        let text = failure.to_string();
        assert!(
            text.contains("two: ") && text.contains("answered 503") && !text.contains("three"),
            "{text}"
        );
    }

    #[test]
    fn the_order_matches_the_spark_connector() {
        let network = Network {
            proxies: Arc::default(),
            certificates: Arc::new(CertificateSource::System.load().unwrap()),
        };
        let http = Client::new(&Arc::new(network));
        let sdk = SdkConfig::builder().http_client(http).build();
        let chain = DefaultChain::new(&ProviderParts::of(&sdk));
        let sources: Vec<_> = chain.sources.iter().map(|(source, _)| *source).collect();
        assert_eq!(
            sources,
            [
                "environment",
                "web identity",
                "profile",
                "container",
                "instance"
            ]
        );
    }
}
