//! Where credentials are looked for when nothing is said.

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

/// Where the default chain has found credentials; goes along with them.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "cli"),
    expect(dead_code, reason = "the command shows it")
)]
pub(in crate::aws) struct ChainSource(pub(in crate::aws) &'static str);

/// The sources of the AWS SDK for Java, in its order, which the Spark connector has. That of the SDK for
/// Rust has the profile before the web identity.
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

    /// The credentials of the first source that has some. A source that should have some and fails ends
    /// the search: those of another source would be somebody else's.
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
            tried.push(format!("{source}: {}", why(&error)));
            if !matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
                let failure = CredentialFailure::of(&error);
                return Err(failure.with_text(listed(&tried)).into());
            }
        }
        Err(CredentialFailure::lasting(listed(&tried)).into())
    }
}

/// Why a source has none to give, without the words for that there are none.
fn why(error: &CredentialsError) -> String {
    match (error, error.source()) {
        (CredentialsError::CredentialsNotLoaded(_), Some(cause)) => causes(cause),
        (CredentialsError::CredentialsNotLoaded(_), None) => "not set up".to_owned(),
        _ => causes(error),
    }
}

fn listed(tried: &[String]) -> String {
    format!("looked at {}", tried.join("; "))
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
    async fn the_first_place_that_has_some_counts() {
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
    async fn where_there_are_none_all_places_are_listed() {
        let failure = failure(chain([("one", Provider::Empty), ("two", Provider::Empty)])).await;
        assert!(!failure.passing);
        let text = failure.to_string();
        assert!(
            text.contains("one: ") && text.contains("two: ") && text.contains("nothing is set"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_place_that_fails_ends_the_search_and_may_answer_later() {
        let failure = failure(chain([
            ("one", Provider::Empty),
            ("two", Provider::Broken),
            ("three", Provider::Full("third")),
        ]))
        .await;
        assert!(failure.passing);
        let text = failure.to_string();
        assert!(
            text.contains("two: ") && text.contains("answered 503") && !text.contains("three"),
            "{text}"
        );
    }

    #[test]
    fn the_order_is_that_of_the_connector() {
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
