//! Credentials from assuming a role with another identity.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, future};
use aws_sdk_sts::Client;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::types::Credentials as Issued;

use super::failure::{CredentialFailure, answered, is_transient};
use super::identity::Identity;
use crate::aws::error_chain::causes;
use crate::aws::network::ConnectFailure;
use crate::model::{RoleSettings, Secret};

/// Assumes one role, again for each load.
#[derive(Debug)]
pub(in crate::aws) struct AssumeRole {
    /// Signs as `caller`.
    client: Client,
    caller: Identity,
    role: String,
    settings: RoleSettings,
}

impl AssumeRole {
    /// Assumes `role` of `settings` as `caller`; `client` must sign as `caller`.
    pub(in crate::aws) fn new(
        client: Client,
        caller: Identity,
        role: String,
        settings: RoleSettings,
    ) -> Self {
        Self {
            client,
            caller,
            role,
            settings,
        }
    }

    async fn assume(&self) -> Provided {
        let seconds = i32::try_from(self.settings.session_length.as_secs()).unwrap_or(i32::MAX);
        let external_id = self.settings.external_id.as_ref().map(Secret::reveal);
        let request = self
            .client
            .assume_role()
            .role_arn(&self.role)
            .role_session_name(&self.settings.session_name)
            .duration_seconds(seconds)
            .set_external_id(external_id.map(str::to_owned));
        let answer = request.send().await.map_err(|error| self.failed(&error))?;
        let issued = answer.credentials.as_ref().ok_or_else(|| {
            CredentialFailure::permanent("the STS response to AssumeRole has no credentials")
        })?;
        let arn = answer.assumed_role_user().map_or("", |user| user.arn());
        credentials(issued, arn)
    }

    /// Classifies an error and adds advice.
    fn failed(&self, error: &SdkError<AssumeRoleError, HttpResponse>) -> CredentialFailure {
        if let Some(inner) = CredentialFailure::find_in(error) {
            return inner.clone();
        }
        let answer = answered(error);
        if answer.is_some_and(|(_, code)| code.starts_with("ExpiredToken"))
            && !self.caller.expired()
        {
            return CredentialFailure::permanent(self.sts_message(error));
        }
        match answer {
            None if ConnectFailure::find_in(error).is_some_and(|failure| failure.permanent) => {
                CredentialFailure::permanent(format!("AssumeRole failed: {}", causes(error)))
            }
            None => CredentialFailure::transient(format!("AssumeRole failed: {}", causes(error))),
            answer if is_transient(answer) => CredentialFailure::transient(self.sts_message(error)),
            Some((_, "AccessDenied")) => CredentialFailure::permanent(format!(
                "{}; allow sts:AssumeRole on '{}' for the caller, and make sure that the role's trust policy names \
                 the caller and the external id, if it requires one",
                self.sts_message(error),
                self.role
            )),
            Some(_) => CredentialFailure::permanent(self.sts_message(error)),
        }
    }

    /// The error that STS returned, as text for a message.
    fn sts_message(&self, error: &SdkError<AssumeRoleError, HttpResponse>) -> String {
        let service = error.as_service_error();
        let code = service.and_then(ProvideErrorMetadata::code);
        let message = service.and_then(ProvideErrorMetadata::message);
        let (code, message) = (code.unwrap_or("no code"), message.unwrap_or("no message"));
        let message = format!(
            "AssumeRole by {} failed: {code}: {message}",
            self.caller.name()
        );
        // STS repeats a malformed external id in its message.
        match &self.settings.external_id {
            Some(id) => message.replace(id.reveal(), "***"),
            None => message,
        }
    }
}

fn credentials(issued: &Issued, user_arn: &str) -> Provided {
    let expires = SystemTime::try_from(issued.expiration).map_err(CredentialsError::unhandled)?;
    let mut credentials = Credentials::builder()
        .access_key_id(&issued.access_key_id)
        .secret_access_key(&issued.secret_access_key)
        .session_token(&issued.session_token)
        .expiry(expires)
        .provider_name("AssumeRole");
    credentials.set_account_id(user_arn.split(':').nth(4).map(Into::into));
    Ok(credentials.build())
}

impl ProvideCredentials for AssumeRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
