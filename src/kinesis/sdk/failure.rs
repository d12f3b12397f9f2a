//! From the SDK's errors to what the caller does next.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::RequestId;

use crate::kinesis::error::kind_of_code;
use crate::kinesis::{ApiError, ApiErrorKind, Operation};

/// A failed request of any service, by what the caller does next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ApiErrorKind,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Whether the service has answered. Code and words are all there is to it then: the SDK's error
    /// would only repeat them.
    pub(crate) answered: bool,
}

/// Keeps the service's code and words where it answered, and tells network trouble from missing
/// credentials where it did not.
pub(super) fn api_error<E>(
    operation: Operation,
    endpoint: &str,
    error: SdkError<E, HttpResponse>,
) -> ApiError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let failure = failure(endpoint, &error);
    let api = ApiError::new(failure.kind, operation, failure.code, failure.message);
    match failure.answered {
        true => api,
        false => api.with_source(error),
    }
}

/// What `error` says, of a request to `endpoint`.
pub(crate) fn failure<E>(endpoint: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        let status = answer.raw().status().as_u16();
        let told = answer.err().code();
        let code = told.map_or_else(|| format!("HTTP {status}"), str::to_owned);
        let mut message = answer.err().message().unwrap_or("no message").to_owned();
        if let Some(id) = error.request_id() {
            message = format!("{message} (request {id})");
        }
        return Failure {
            kind: match kind_of_code(&code) {
                ApiErrorKind::Other if status >= 500 => ApiErrorKind::Unavailable,
                ApiErrorKind::Other if status == 429 => ApiErrorKind::Throttled,
                kind => kind,
            },
            code,
            message,
            answered: true,
        };
    }
    let causes = causes(error);
    let (kind, code, message) = match error {
        SdkError::TimeoutError(_) => (ApiErrorKind::Unavailable, "Timeout", causes),
        SdkError::ResponseError(_) => (ApiErrorKind::Unavailable, "BadResponse", causes),
        other if let Some(missing) = missing_credentials(other) => {
            let message = format!(
                "{NO_CREDENTIALS}; the last place looked at: {}",
                self::causes(missing)
            );
            (ApiErrorKind::Credentials, "NoCredentials", message)
        }
        SdkError::DispatchFailure(_) => {
            let message = format!("{causes} (endpoint {endpoint})");
            (ApiErrorKind::Unavailable, "ConnectionFailure", message)
        }
        _ => (ApiErrorKind::Other, "ConstructionFailure", causes),
    };
    Failure {
        kind,
        code: code.to_owned(),
        message,
        answered: false,
    }
}

const NO_CREDENTIALS: &str = "no AWS credentials found: set options 'kinesis.awsAccessKeyId' and \
    'kinesis.awsSecretKey', or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile";

/// What an error and its causes say, each once.
fn causes(error: &(dyn StdError + 'static)) -> String {
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

/// Why there are no credentials, if that is the cause. A provider that timed out may answer next time.
fn missing_credentials<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CredentialsError> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(failure) = current.downcast_ref::<CredentialsError>() {
            return (!matches!(failure, CredentialsError::ProviderTimedOut(_))).then_some(failure);
        }
        cause = current.source();
    }
    None
}
