//! Credential options before and after their checks.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::{BaseCredentials, CredentialSettings, RoleSettings, Secret, StaticCredentials};

/// The credential options of one name prefix.
#[derive(Debug, Clone, Default)]
pub(in crate::options) struct CredentialsDraft {
    pub(in crate::options) access_key_id: Option<Secret>,
    pub(in crate::options) secret_key: Option<Secret>,
    pub(in crate::options) session_token: Option<Secret>,
    pub(in crate::options) profile: Option<String>,
    pub(in crate::options) provider: Option<String>,
    pub(in crate::options) provider_param: Option<Secret>,
    pub(in crate::options) roles: Vec<String>,
    pub(in crate::options) session_name: Option<String>,
    pub(in crate::options) sts_endpoint_url: Option<String>,
    pub(in crate::options) external_id: Option<Secret>,
    pub(in crate::options) session_length: Option<Duration>,
}

impl CredentialsDraft {
    /// Checks the options whose names start with `prefix`.
    pub(super) fn finish(&self, prefix: &str) -> Result<CredentialSettings> {
        Ok(CredentialSettings {
            base: self.base(prefix)?,
            role: self.role(prefix)?,
        })
    }

    fn base(&self, prefix: &str) -> Result<Option<BaseCredentials>> {
        if self.provider_param.is_some() && self.provider.is_none() {
            return Err(requires_option(
                prefix,
                "credentialProviderParam",
                "credentialProviderClass",
            ));
        }
        let keys = self.keys(prefix)?.map(BaseCredentials::Static);
        let profile = self.profile.clone().map(BaseCredentials::Profile);
        let provider = self.provider.clone().map(|name| BaseCredentials::Provider {
            name,
            param: self.provider_param.clone(),
        });
        let mut bases = [keys, profile, provider].into_iter().flatten();
        let base = bases.next();
        if bases.next().is_some() {
            return Err(Error::invalid_option(format!(
                "options '{prefix}awsAccessKeyId', '{prefix}awsProfile' and \
                 '{prefix}credentialProviderClass' each specify credentials: expected only one of them"
            )));
        }
        Ok(base)
    }

    fn keys(&self, prefix: &str) -> Result<Option<StaticCredentials>> {
        match (&self.access_key_id, &self.secret_key) {
            (Some(access_key_id), Some(secret_key)) => Ok(Some(StaticCredentials {
                access_key_id: access_key_id.clone(),
                secret_key: secret_key.clone(),
                session_token: self.session_token.clone(),
            })),
            (None, None) if self.session_token.is_none() => Ok(None),
            (access_key_id, _) => {
                let missing = match access_key_id {
                    None => "awsAccessKeyId",
                    Some(_) => "awsSecretKey",
                };
                Err(Error::invalid_option(format!(
                    "option '{prefix}{missing}' is missing: expected '{prefix}awsAccessKeyId' and \
                     '{prefix}awsSecretKey' together"
                )))
            }
        }
    }

    fn role(&self, prefix: &str) -> Result<Option<RoleSettings>> {
        if self.roles.is_empty() {
            let dependent = [
                ("stsSessionName", self.session_name.is_some()),
                ("stsEndpointUrl", self.sts_endpoint_url.is_some()),
                ("stsExternalId", self.external_id.is_some()),
                ("stsSessionDurationSec", self.session_length.is_some()),
            ];
            return match dependent.into_iter().find(|(_, given)| *given) {
                None => Ok(None),
                Some((name, _)) => Err(requires_option(prefix, name, "stsRoleArn")),
            };
        }
        let session_length = self.session_length.unwrap_or(RoleSettings::SESSION_LENGTH);
        if self.roles.len() > 1 && session_length > RoleSettings::SESSION_LENGTH {
            return Err(Error::invalid_option(format!(
                "option '{prefix}stsSessionDurationSec' = '{}': expected at most {}, which is the limit of STS \
                 if one role assumes another",
                session_length.as_secs(),
                RoleSettings::SESSION_LENGTH.as_secs()
            )));
        }
        let session_name = self.session_name.as_deref();
        Ok(Some(RoleSettings {
            chain: self.roles.clone(),
            session_name: session_name
                .unwrap_or(RoleSettings::SESSION_NAME)
                .to_owned(),
            external_id: self.external_id.clone(),
            session_length,
            endpoint_url: self.sts_endpoint_url.clone(),
        }))
    }
}

/// The error for an option that has no effect without another one.
fn requires_option(prefix: &str, name: &str, other: &str) -> Error {
    Error::invalid_option(format!(
        "option '{prefix}{name}': expected only together with '{prefix}{other}'"
    ))
}
