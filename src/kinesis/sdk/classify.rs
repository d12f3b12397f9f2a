//! Classifies SDK errors by what the caller should do next.

use std::error::Error as StdError;

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::RequestId;

use crate::aws::{ClockSkew, ConnectFailure, CredentialFailure, Identity, causes};
use crate::kinesis::error::kind_of_code;
use crate::kinesis::wire::Refusal;
use crate::kinesis::{ApiError, ApiErrorKind, Operation};
use crate::model::{Clock, StreamIdentity, SystemClock};

/// An SDK error of any service, classified by what the caller should do next.
#[derive(Debug)]
pub(crate) struct ClassifiedError {
    pub(crate) kind: ApiErrorKind,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Whether the service responded. If so, code and message contain all information, and the SDK
    /// error need not be kept as the cause.
    pub(crate) answered: bool,
}

/// How a request was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    /// The endpoint.
    pub(crate) endpoint: &'a str,
    /// The identity that signed it, if known.
    pub(crate) identity: Option<&'a Identity>,
}

/// Converts an SDK error. Keeps the service's code and message if it responded; otherwise separates
/// network errors from missing credentials. `refusal` is the response if the SDK could not read it.
pub(super) fn api_error<E>(
    operation: Operation,
    stream: Option<&StreamIdentity>,
    sent: RequestContext<'_>,
    error: SdkError<E, HttpResponse>,
    refusal: Option<Refusal>,
) -> ApiError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let mut failure = classify_with(sent, &error, refusal);
    if failure.kind == ApiErrorKind::AccessDenied {
        let advice = advice(operation, stream, &failure);
        failure.message.push_str(&advice);
    }
    let api = ApiError::new(failure.kind, operation, failure.code, failure.message);
    match failure.answered {
        true => api,
        false => api.with_source(error),
    }
}

/// Which permission to grant, unless the service's message already names it.
fn advice(
    operation: Operation,
    stream: Option<&StreamIdentity>,
    failure: &ClassifiedError,
) -> String {
    let Some(stream) = stream else {
        return String::new();
    };
    let named = match stream.arn() {
        Some(arn) => arn.to_owned(),
        None => format!("stream '{stream}'"),
    };
    if failure.code.starts_with("KMS") {
        let action = match operation {
            Operation::PutRecords => "kms:GenerateDataKey",
            _ => "kms:Decrypt",
        };
        return format!(
            "; allow {action} on the KMS key that encrypts {named}, and check that the key is enabled"
        );
    }
    let action = format!("kinesis:{operation}");
    match failure.message.contains(&action) && failure.message.contains(&named) {
        true => String::new(),
        false => format!("; allow {action} on {named}"),
    }
}

/// Classifies `error`.
#[cfg(feature = "dynamodb")]
pub(crate) fn classify<E>(
    sent: RequestContext<'_>,
    error: &SdkError<E, HttpResponse>,
) -> ClassifiedError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    classify_with(sent, error, None)
}

fn classify_with<E>(
    sent: RequestContext<'_>,
    error: &SdkError<E, HttpResponse>,
    refusal: Option<Refusal>,
) -> ClassifiedError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        let status = answer.raw().status().as_u16();
        let (code, message) = match refusal {
            Some(Refusal { code, message }) => (Some(code), Some(message)),
            None => {
                let answer = answer.err();
                (
                    answer.code().map(str::to_owned),
                    answer.message().map(str::to_owned),
                )
            }
        };
        let code = code.unwrap_or_else(|| format!("HTTP {status}"));
        let mut message = message.unwrap_or_else(|| "no message".to_owned());
        if let Some(id) = error.request_id() {
            message = format!("{message} (request {id})");
        }
        let kind = match kind_of_code(&code) {
            ApiErrorKind::Other if status >= 500 => ApiErrorKind::Unavailable,
            ApiErrorKind::Other if status == 429 => ApiErrorKind::Throttled,
            ApiErrorKind::Credentials => {
                let date = answer.raw().headers().get("date");
                classify_rejected_credentials(&code, date, sent.identity, &mut message)
            }
            kind => kind,
        };
        return ClassifiedError {
            kind,
            code,
            message,
            answered: true,
        };
    }
    let (kind, code, message) = match error {
        SdkError::TimeoutError(_) => (ApiErrorKind::Unavailable, "Timeout", causes(error)),
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            let message = format!("{} (HTTP {status})", causes(error));
            (ApiErrorKind::Unavailable, "BadResponse", message)
        }
        other if let Some(failure) = CredentialFailure::find_in(other) => {
            missing_credentials(failure)
        }
        SdkError::DispatchFailure(_) => {
            let message = format!("{} (endpoint {})", causes(error), sent.endpoint);
            let permanent = ConnectFailure::find_in(error).is_some_and(|failure| failure.permanent);
            let kind = match permanent {
                true => ApiErrorKind::Connection,
                false => ApiErrorKind::Unavailable,
            };
            (kind, "ConnectionFailure", message)
        }
        _ => (ApiErrorKind::Other, "ConstructionFailure", causes(error)),
    };
    ClassifiedError {
        kind,
        code: code.to_owned(),
        message,
        answered: false,
    }
}

/// Error codes for an invalid signature, which can also mean that the local clock is wrong (IAM
/// User Guide, "Troubleshooting signed requests").
const SIGNATURE_CODES: [&str; 2] = ["InvalidSignatureException", "SignatureDoesNotMatch"];

/// Classifies rejected credentials and adds advice to `message`. `date` is the response's `Date`
/// header.
fn classify_rejected_credentials(
    code: &str,
    date: Option<&str>,
    identity: Option<&Identity>,
    message: &mut String,
) -> ApiErrorKind {
    if code.starts_with("ExpiredToken")
        && let Some(identity) = identity
    {
        message.push_str(&format!(" (signed as {})", identity.name()));
        return match identity.expired() {
            true => ApiErrorKind::Unavailable,
            false => ApiErrorKind::Credentials,
        };
    }
    if message.contains("scoped to a valid region") {
        message.push_str(
            "; the request was signed for a region other than the endpoint's: set option \
             'kinesis.kinesisRegion' to the region of the endpoint",
        );
        return ApiErrorKind::Credentials;
    }
    let skew = date.and_then(|date| ClockSkew::of(date, SystemClock.now()));
    match skew.and_then(ClockSkew::problem) {
        Some(problem) if SIGNATURE_CODES.contains(&code) => {
            message.push_str("; ");
            message.push_str(&problem);
            // The SDK now knows the service's time and signs the next request with it.
            ApiErrorKind::Unavailable
        }
        _ => ApiErrorKind::Credentials,
    }
}

fn missing_credentials(failure: &CredentialFailure) -> (ApiErrorKind, &'static str, String) {
    let message = format!("no AWS credentials: {failure}");
    match failure.transient {
        true => (ApiErrorKind::Unavailable, "NoCredentials", message),
        false => (
            ApiErrorKind::Credentials,
            "NoCredentials",
            format!("{message}; {HOW_TO_SET_CREDENTIALS}"),
        ),
    }
}

const HOW_TO_SET_CREDENTIALS: &str = "set options 'kinesis.awsAccessKeyId' and \
    'kinesis.awsSecretKey', 'kinesis.awsProfile' or 'kinesis.stsRoleArn', or the AWS environment \
    variables";

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";

    fn advised(operation: Operation, stream: &str, code: &str, message: &str) -> String {
        let stream = StreamIdentity::parse(stream).unwrap();
        let failure = ClassifiedError {
            kind: ApiErrorKind::AccessDenied,
            code: code.to_owned(),
            message: message.to_owned(),
            answered: true,
        };
        advice(operation, Some(&stream), &failure)
    }

    #[test]
    fn the_missing_permission_is_named_once() {
        let denied = "AccessDeniedException";
        assert_eq!(
            advised(Operation::GetRecords, "words", denied, "no"),
            "; allow kinesis:GetRecords on stream 'words'"
        );
        let named = format!("not authorized to perform: kinesis:GetRecords on resource: {ARN}");
        assert_eq!(advised(Operation::GetRecords, ARN, denied, &named), "");
        let other = format!("not authorized to perform: kinesis:ListShards on resource: {ARN}");
        assert_eq!(
            advised(Operation::GetRecords, ARN, denied, &other),
            format!("; allow kinesis:GetRecords on {ARN}")
        );
    }

    #[test]
    fn kms_errors_name_the_action_for_reading_or_writing() {
        for (operation, action) in [
            (Operation::GetRecords, "kms:Decrypt"),
            (Operation::PutRecords, "kms:GenerateDataKey"),
        ] {
            let text = advised(operation, ARN, "KMSAccessDeniedException", "no");
            assert!(text.contains(action) && text.contains(ARN), "{text}");
        }
    }
}
