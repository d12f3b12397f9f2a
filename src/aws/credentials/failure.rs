//! Why there are no credentials, and whether there may be some later.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

use crate::aws::error_chain::{causes, find};
use crate::aws::network::ConnectFailure;

/// Why an identity has no credentials to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialFailure {
    /// Whether the next try may find some.
    pub(crate) passing: bool,
    text: String,
}

impl CredentialFailure {
    pub(in crate::aws) fn passing(text: impl Into<String>) -> Self {
        Self {
            passing: true,
            text: text.into(),
        }
    }

    pub(in crate::aws) fn lasting(text: impl Into<String>) -> Self {
        Self {
            passing: false,
            text: text.into(),
        }
    }

    /// What the failure of a provider means.
    pub(in crate::aws) fn of(error: &CredentialsError) -> Self {
        if let Some(known) = Self::find_in(error) {
            return known.clone();
        }
        let passing = match error {
            _ if ConnectFailure::find_in(error).is_some_and(|failure| failure.lasting) => false,
            CredentialsError::ProviderTimedOut(_) => true,
            CredentialsError::ProviderError(_) => {
                find::<WebIdentityError>(error).is_none_or(|error| passes(answered(error)))
            }
            _ => false,
        };
        Self {
            passing,
            text: causes(error),
        }
    }

    /// The failure behind an error of the SDK.
    pub(crate) fn find_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        find(error)
    }

    /// The same with other words.
    pub(in crate::aws) fn with_text(self, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..self
        }
    }

    /// With the name of what was tried in front.
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
        match failure.passing {
            true => Self::provider_error(failure),
            false => Self::invalid_configuration(failure),
        }
    }
}

/// The status and the code of an answer of STS; nothing where none came.
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

/// Whether STS may answer otherwise later. Tokens and credentials that have expired are renewed by
/// others.
pub(in crate::aws) fn passes(answer: Option<(u16, &str)>) -> bool {
    const PASSING: [&str; 8] = [
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
    status >= 500 || status == 429 || code.starts_with("ExpiredToken") || PASSING.contains(&code)
}
