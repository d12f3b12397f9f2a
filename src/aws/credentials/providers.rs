//! Credential providers that a program registers by name.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use crate::error::{Error, Result};
use crate::model::Secret;

/// The error of a provider factory.
pub type ProviderError = Box<dyn StdError + Send + Sync>;

type Factory =
    Arc<dyn Fn(Option<&str>) -> Result<SharedCredentialsProvider, ProviderError> + Send + Sync>;

static FACTORIES: LazyLock<RwLock<BTreeMap<String, Factory>>> = LazyLock::new(RwLock::default);

/// Credential providers that tables select by name, for the whole process.
///
/// ```
/// use datafusion_kinesis::aws::CredentialProviders;
/// use datafusion_kinesis::aws::credential_types::Credentials;
///
/// CredentialProviders::register("vault", |param| {
///     let path = param.ok_or("expected the path of the secret")?;
///     // Anything that implements `ProvideCredentials`; its credentials are cached until they expire.
///     Ok(Credentials::new("AKIDEXAMPLE", format!("secret at {path}"), None, None, "vault"))
/// });
/// ```
///
/// A table selects it with `'kinesis.credentialProviderClass' 'vault'`, and passes
/// `'kinesis.credentialProviderParam'` to the factory. All tables with the same name and parameter
/// share one provider. It is called again shortly before its credentials expire, or every 15
/// minutes if they do not expire.
#[derive(Debug)]
pub struct CredentialProviders;

impl CredentialProviders {
    /// Registers `factory` as `name`, replacing an earlier one. The factory gets the table's
    /// parameter, and reports an invalid one when the table is created.
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

    /// Fails if the provider is not registered.
    pub(crate) fn expect(name: &str) -> Result<()> {
        Self::factory(name).map(drop)
    }

    fn factory(name: &str) -> Result<Factory> {
        let factories = FACTORIES.read().unwrap_or_else(PoisonError::into_inner);
        factories.get(name).cloned().ok_or_else(|| {
            let known: Vec<String> = factories.keys().map(|name| format!("'{name}'")).collect();
            let known = match known.as_slice() {
                [] => "but none is registered".to_owned(),
                known => format!("registered are {}", known.join(", ")),
            };
            Error::invalid_option(format!(
                "option 'kinesis.credentialProviderClass' = '{name}': expected a provider registered with \
                 CredentialProviders::register, {known}; Java classes cannot be loaded, but a profile with \
                 credential_process can run any command"
            ))
        })
    }

    /// Creates the provider `name` with `param`.
    pub(in crate::aws) fn make(
        name: &str,
        param: Option<&Secret>,
    ) -> Result<SharedCredentialsProvider> {
        let factory = Self::factory(name)?;
        factory(param.map(Secret::reveal)).map_err(|error| {
            // The provider's message may contain the parameter.
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
