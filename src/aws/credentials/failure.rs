//! Credential failures, transient or permanent.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

use crate::aws::error_chain::{causes, find};
use crate::aws::network::ConnectFailure;

/// Why an identity has no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialFailure {
    /// Whether a later try may succeed.
    pub(crate) transient: bool,
    text: String,
}

impl CredentialFailure {
    pub(in crate::aws) fn transient(text: impl Into<String>) -> Self {
        Self {
            transient: true,
            text: text.into(),
        }
    }

    pub(in crate::aws) fn permanent(text: impl Into<String>) -> Self {
        Self {
            transient: false,
            text: text.into(),
        }
    }

    /// Classifies the error of a provider.
    pub(in crate::aws) fn of(error: &CredentialsError) -> Self {
        if let Some(known) = Self::find_in(error) {
            return known.clone();
        }
        let transient = match error {
            _ if ConnectFailure::find_in(error).is_some_and(|failure| failure.permanent) => false,
            CredentialsError::ProviderTimedOut(_) => true,
            CredentialsError::ProviderError(_) => {
                find::<WebIdentityError>(error).is_none_or(|error| is_transient(answered(error)))
            }
            _ => false,
        };
        Self {
            transient,
            text: causes(error),
        }
    }

    /// Finds the credential failure behind an error of the SDK.
    pub(crate) fn find_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        find(error)
    }

    /// Replaces the text.
    pub(in crate::aws) fn with_text(self, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..self
        }
    }

    /// Prepends `context`, a description of what was tried.
    pub(in crate::aws) fn in_context(mut self, context: impl fmt::Display) -> Self {
        self.text = format!("{context}: {}", self.text);
        self
    }
}

type WebIdentityError = SdkError<AssumeRoleWithWebIdentityError, HttpResponse>;

impl fmt::Display for CredentialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for CredentialFailure {}

impl From<CredentialFailure> for CredentialsError {
    fn from(failure: CredentialFailure) -> Self {
        match failure.transient {
            true => Self::provider_error(failure),
            false => Self::invalid_configuration(failure),
        }
    }
}

/// Status and error code of an STS response; `None` if there was no response.
pub(in crate::aws) fn answered<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> Option<(u16, &str)> {
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            Some((status, answer.err().code().unwrap_or_default()))
        }
        _ => None,
    }
}

/// Whether STS may succeed later. Expired tokens and credentials are renewed elsewhere.
pub(in crate::aws) fn is_transient(answer: Option<(u16, &str)>) -> bool {
    const TRANSIENT: [&str; 8] = [
        "IDPCommunicationError",
        "InternalFailure",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ];
    let Some((status, code)) = answer else {
        return true;
    };
    status >= 500 || status == 429 || code.starts_with("ExpiredToken") || TRANSIENT.contains(&code)
}
