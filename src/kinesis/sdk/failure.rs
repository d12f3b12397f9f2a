//! From the SDK's errors to what the caller does next.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::kinesis::{ApiError, ApiErrorKind, Operation};

/// Keeps the service's code and words where it answered, and tells network trouble from missing
/// credentials where it did not.
pub(super) fn api_error<E>(operation: Operation, error: SdkError<E, HttpResponse>) -> ApiError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if let SdkError::ServiceError(answer) = &error {
        let status = answer.raw().status().as_u16();
        let code = answer.err().code().unwrap_or("UnknownError").to_owned();
        let message = answer.err().message().unwrap_or("no message").to_owned();
        let known = ApiError::from_code(operation, &code, message.clone());
        let failure = if known.kind() == ApiErrorKind::Other && status >= 500 {
            ApiError::new(ApiErrorKind::Unavailable, operation, code, message)
        } else {
            known
        };
        return failure.with_source(error);
    }
    let (kind, code) = match &error {
        SdkError::TimeoutError(_) => (ApiErrorKind::Unavailable, "Timeout"),
        SdkError::ResponseError(_) => (ApiErrorKind::Unavailable, "BadResponse"),
        other if credentials_failed(other) => (ApiErrorKind::Credentials, "NoCredentials"),
        SdkError::DispatchFailure(_) => (ApiErrorKind::Unavailable, "ConnectionFailure"),
        _ => (ApiErrorKind::Other, "ConstructionFailure"),
    };
    let message = DisplayErrorContext(&error).to_string();
    ApiError::new(kind, operation, code, message).with_source(error)
}

/// A provider that timed out may answer next time; one that has none will not.
fn credentials_failed(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(failure) = current.downcast_ref::<CredentialsError>() {
            return !matches!(failure, CredentialsError::ProviderTimedOut(_));
        }
        cause = current.source();
    }
    false
}
