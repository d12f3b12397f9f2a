//! Why there are no credentials, and whether there may be some later.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

use super::connections::ConnectFailure;

/// Why an identity has no credentials to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialTrouble {
    /// Whether the next try may find some.
    pub(crate) passing: bool,
    text: String,
}

impl CredentialTrouble {
    pub(super) fn passing(text: impl Into<String>) -> Self {
        Self {
            passing: true,
            text: text.into(),
        }
    }

    pub(super) fn lasting(text: impl Into<String>) -> Self {
        Self {
            passing: false,
            text: text.into(),
        }
    }

    /// What the failure of a provider means.
    pub(super) fn of(error: &CredentialsError) -> Self {
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

    /// The trouble behind an error of the SDK.
    pub(crate) fn find_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        find(error)
    }

    /// The same with other words.
    pub(super) fn with_text(self, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..self
        }
    }

    /// With the name of what was tried in front.
    pub(super) fn in_context(mut self, context: impl fmt::Display) -> Self {
        self.text = format!("{context}: {}", self.text);
        self
    }
}

type WebIdentityError = SdkError<AssumeRoleWithWebIdentityError, HttpResponse>;

impl fmt::Display for CredentialTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for CredentialTrouble {}

impl From<CredentialTrouble> for CredentialsError {
    fn from(trouble: CredentialTrouble) -> Self {
        match trouble.passing {
            true => Self::provider_error(trouble),
            false => Self::invalid_configuration(trouble),
        }
    }
}

/// The status and the code of an answer of STS; nothing where none came.
pub(super) fn answered<E: ProvideErrorMetadata>(
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
pub(super) fn passes(answer: Option<(u16, &str)>) -> bool {
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

/// The first cause of this type.
pub(super) fn find<'a, E: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        cause = match current.downcast_ref::<io::Error>() {
            // Its source is that of the error inside, which would be skipped.
            Some(outer) => outer.get_ref().map(|inner| inner as _),
            None => current.source(),
        };
    }
    None
}

/// What an error and its causes say, each once.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    let mut cause = Some(error);
    while let Some(current) = cause {
        let said = current.to_string();
        if !text.ends_with(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        cause = current.source();
    }
    text
}
