//! Providers of credentials that a program brings along.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use crate::error::{Error, Result};
use crate::model::Secret;

/// What a factory of providers may fail with.
pub type ProviderError = Box<dyn StdError + Send + Sync>;

type Factory =
    Arc<dyn Fn(Option<&str>) -> Result<SharedCredentialsProvider, ProviderError> + Send + Sync>;

static FACTORIES: LazyLock<RwLock<BTreeMap<String, Factory>>> = LazyLock::new(RwLock::default);

/// Ways to credentials that tables choose by name, for the whole process.
///
/// ```
/// use datafusion_kinesis::aws::CredentialProviders;
/// use datafusion_kinesis::aws::credential_types::Credentials;
///
/// CredentialProviders::register("vault", |param| {
///     let path = param.ok_or("expected the path of the secret")?;
///     // Anything that implements `ProvideCredentials`; what it gives is kept until it expires.
///     Ok(Credentials::new("AKIDEXAMPLE", format!("secret at {path}"), None, None, "vault"))
/// });
/// ```
///
/// A table takes it with `'kinesis.credentialProviderClass' 'vault'`, and hands over
/// `'kinesis.credentialProviderParam'`. The provider is asked once for all tables with the same name and
/// parameter, again shortly before what it gave expires, and every 15 minutes where that has no end.
#[derive(Debug)]
pub struct CredentialProviders;

impl CredentialProviders {
    /// Makes `factory` known by `name`, which it takes over from an older one. It gets the parameter of
    /// the table and says what is wrong with it when the table is made.
    pub fn register<P, F>(name: &str, factory: F)
    where
        P: ProvideCredentials + 'static,
        F: Fn(Option<&str>) -> Result<P, ProviderError> + Send + Sync + 'static,
    {
        let factory = move |param: Option<&str>| factory(param).map(SharedCredentialsProvider::new);
        FACTORIES
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), Arc::new(factory));
    }

    /// Refuses a provider that is not known.
    pub(crate) fn expect(name: &str) -> Result<()> {
        Self::factory(name).map(drop)
    }

    fn factory(name: &str) -> Result<Factory> {
        let factories = FACTORIES.read().unwrap_or_else(PoisonError::into_inner);
        factories.get(name).cloned().ok_or_else(|| {
            let known: Vec<String> = factories.keys().map(|name| format!("'{name}'")).collect();
            let known = match known.as_slice() {
                [] => "none is".to_owned(),
                known => format!("these are: {}", known.join(", ")),
            };
            Error::invalid_option(format!(
                "option 'kinesis.credentialProviderClass' = '{name}': expected a provider that this \
                 program has registered with CredentialProviders::register, {known}; classes of Java \
                 are not loaded, but a profile with credential_process runs any command"
            ))
        })
    }

    /// The provider of that name for `param`.
    pub(in crate::aws) fn make(
        name: &str,
        param: Option<&Secret>,
    ) -> Result<SharedCredentialsProvider> {
        let factory = Self::factory(name)?;
        factory(param.map(Secret::reveal)).map_err(|error| {
            // The provider's words may hold what it was given.
            let mut said = error.to_string();
            if let Some(param) = param {
                said = said.replace(param.reveal(), "***");
            }
            Error::invalid_option(format!(
                "option 'kinesis.credentialProviderParam' for provider '{name}': {said}"
            ))
        })
    }
}
