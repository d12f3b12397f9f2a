//! From the SDK's errors to what the caller does next.

use std::error::Error as StdError;

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::RequestId;

use crate::aws::{ClockSkew, ConnectFailure, CredentialFailure, Identity, causes};
use crate::kinesis::error::kind_of_code;
use crate::kinesis::{ApiError, ApiErrorKind, Operation};
use crate::model::{Clock, StreamIdentity, SystemClock};

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

/// What a request was sent as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    /// Where to.
    pub(crate) endpoint: &'a str,
    /// Who signed it, where that is known.
    pub(crate) identity: Option<&'a Identity>,
}

/// Keeps the service's code and words where it answered, and tells network trouble from missing
/// credentials where it did not.
pub(super) fn api_error<E>(
    operation: Operation,
    stream: Option<&StreamIdentity>,
    sent: Sent<'_>,
    error: SdkError<E, HttpResponse>,
) -> ApiError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let mut failure = failure(sent, &error);
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

/// What has to be allowed, where the service has not said it.
fn advice(operation: Operation, stream: Option<&StreamIdentity>, failure: &Failure) -> String {
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
            "; allow {action} on the key that {named} is encrypted with, and enable it"
        );
    }
    let action = format!("kinesis:{operation}");
    match failure.message.contains(&action) && failure.message.contains(&named) {
        true => String::new(),
        false => format!("; allow {action} on {named}"),
    }
}

/// What `error` says, of a request that was `sent`.
pub(crate) fn failure<E>(sent: Sent<'_>, error: &SdkError<E, HttpResponse>) -> Failure
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
        let kind = match kind_of_code(&code) {
            ApiErrorKind::Other if status >= 500 => ApiErrorKind::Unavailable,
            ApiErrorKind::Other if status == 429 => ApiErrorKind::Throttled,
            ApiErrorKind::Credentials => {
                let date = answer.raw().headers().get("date");
                refused(&code, date, sent.identity, &mut message)
            }
            kind => kind,
        };
        return Failure {
            kind,
            code,
            message,
            answered: true,
        };
    }
    let (kind, code, message) = match error {
        SdkError::TimeoutError(_) => (ApiErrorKind::Unavailable, "Timeout", causes(error)),
        SdkError::ResponseError(_) => (ApiErrorKind::Unavailable, "BadResponse", causes(error)),
        other if let Some(trouble) = CredentialFailure::find_in(other) => {
            without_credentials(trouble)
        }
        SdkError::DispatchFailure(_) => {
            let message = format!("{} (endpoint {})", causes(error), sent.endpoint);
            let lasting = ConnectFailure::find_in(error).is_some_and(|failure| failure.permanent);
            let kind = match lasting {
                true => ApiErrorKind::Connection,
                false => ApiErrorKind::Unavailable,
            };
            (kind, "ConnectionFailure", message)
        }
        _ => (ApiErrorKind::Other, "ConstructionFailure", causes(error)),
    };
    Failure {
        kind,
        code: code.to_owned(),
        message,
        answered: false,
    }
}

/// Codes for a signature that is wrong, maybe only for its time (IAM User Guide, "Troubleshooting signed
/// requests").
const SIGNATURES: [&str; 2] = ["InvalidSignatureException", "SignatureDoesNotMatch"];

/// What to do about credentials that the service has refused; `date` is the time of its answer.
fn refused(
    code: &str,
    date: Option<&str>,
    identity: Option<&Identity>,
    message: &mut String,
) -> ApiErrorKind {
    if code.starts_with("ExpiredToken")
        && let Some(identity) = identity
    {
        message.push_str(&format!(" (asked as {})", identity.name()));
        return match identity.expired() {
            true => ApiErrorKind::Unavailable,
            false => ApiErrorKind::Credentials,
        };
    }
    if message.contains("scoped to a valid region") {
        message.push_str(
            "; the endpoint is one of another region than was signed for: set option \
             'kinesis.kinesisRegion' to its region",
        );
        return ApiErrorKind::Credentials;
    }
    let skew = date.and_then(|date| ClockSkew::of(date, SystemClock.now()));
    match skew.and_then(ClockSkew::complaint) {
        Some(complaint) if SIGNATURES.contains(&code) => {
            message.push_str("; ");
            message.push_str(&complaint);
            // The SDK has seen the time of the service, and signs the next request by it.
            ApiErrorKind::Unavailable
        }
        _ => ApiErrorKind::Credentials,
    }
}

fn without_credentials(trouble: &CredentialFailure) -> (ApiErrorKind, &'static str, String) {
    let message = format!("no AWS credentials: {trouble}");
    match trouble.transient {
        true => (ApiErrorKind::Unavailable, "NoCredentials", message),
        false => (
            ApiErrorKind::Credentials,
            "NoCredentials",
            format!("{message}; {WAYS}"),
        ),
    }
}

const WAYS: &str = "ways to credentials are the options 'kinesis.awsAccessKeyId' and \
    'kinesis.awsSecretKey', 'kinesis.awsProfile' or 'kinesis.stsRoleArn', and the environment";

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";

    fn advised(operation: Operation, stream: &str, code: &str, message: &str) -> String {
        let stream = StreamIdentity::parse(stream).unwrap();
        let failure = Failure {
            kind: ApiErrorKind::AccessDenied,
            code: code.to_owned(),
            message: message.to_owned(),
            answered: true,
        };
        advice(operation, Some(&stream), &failure)
    }

    #[test]
    fn what_has_to_be_allowed_is_said_once() {
        let denied = "AccessDeniedException";
        assert_eq!(
            advised(Operation::GetRecords, "words", denied, "no"),
            "; allow kinesis:GetRecords on stream 'words'"
        );
        let said = format!("not authorized to perform: kinesis:GetRecords on resource: {ARN}");
        assert_eq!(advised(Operation::GetRecords, ARN, denied, &said), "");
        let other = format!("not authorized to perform: kinesis:ListShards on resource: {ARN}");
        assert_eq!(
            advised(Operation::GetRecords, ARN, denied, &other),
            format!("; allow kinesis:GetRecords on {ARN}")
        );
    }

    #[test]
    fn a_key_of_kms_is_needed_for_reading_or_for_writing() {
        for (operation, action) in [
            (Operation::GetRecords, "kms:Decrypt"),
            (Operation::PutRecords, "kms:GenerateDataKey"),
        ] {
            let text = advised(operation, ARN, "KMSAccessDeniedException", "no");
            assert!(text.contains(action) && text.contains(ARN), "{text}");
        }
    }
}
