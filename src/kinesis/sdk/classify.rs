//! Classifies errors by what the caller should do next.

use std::error::Error as StdError;

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::RequestId;

use crate::aws::{ClockSkew, ConnectFailure, CredentialFailure, Identity, causes};
use crate::kinesis::error::kind_of_code;
use crate::kinesis::{ApiError, ApiErrorKind, Operation};
use crate::model::{Clock, StreamIdentity, SystemClock, UnixMillis};

/// An error of any service, classified by what the caller should do next.
#[derive(Debug)]
pub(crate) struct ClassifiedError {
    pub(crate) kind: ApiErrorKind,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Whether the service responded. If so, code and message contain all information, and the
    /// error need not be kept as the cause.
    pub(crate) answered: bool,
}

/// The answer of a service that refuses a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RefusedRequest<'a> {
    pub(super) status: u16,
    pub(super) code: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    pub(super) request_id: Option<&'a str>,
    /// The answer's `Date` header.
    pub(super) date: Option<&'a str>,
    /// The time in the signature.
    pub(super) signed_at: UnixMillis,
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
/// network errors from missing credentials.
pub(super) fn api_error<E>(
    operation: Operation,
    stream: Option<&StreamIdentity>,
    sent: RequestContext<'_>,
    error: SdkError<E, HttpResponse>,
) -> ApiError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let failure = classify(sent, &error);
    let answered = failure.answered;
    let api = advised(operation, stream, failure);
    match answered {
        true => api,
        false => api.with_source(error),
    }
}

/// The error of a call, with advice about permissions.
pub(super) fn advised(
    operation: Operation,
    stream: Option<&StreamIdentity>,
    mut failure: ClassifiedError,
) -> ApiError {
    if failure.kind == ApiErrorKind::AccessDenied {
        let advice = advice(operation, stream, &failure);
        failure.message.push_str(&advice);
    }
    ApiError::new(failure.kind, operation, failure.code, failure.message)
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
        // Policies name the consumer for these (Service Authorization Reference, "Actions defined by Kinesis").
        false
            if matches!(
                operation,
                Operation::SubscribeToShard
                    | Operation::DescribeStreamConsumer
                    | Operation::DeregisterStreamConsumer
                    | Operation::ListTagsForResource
            ) =>
        {
            format!("; allow {action} on the consumers of {named}, <ARN of the stream>/consumer/*")
        }
        false => format!("; allow {action} on {named}"),
    }
}

/// Classifies an error of the SDK.
pub(crate) fn classify<E>(
    sent: RequestContext<'_>,
    error: &SdkError<E, HttpResponse>,
) -> ClassifiedError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        let refused = RefusedRequest {
            status: answer.raw().status().as_u16(),
            code: answer.err().code(),
            message: answer.err().message(),
            request_id: error.request_id(),
            date: answer.raw().headers().get("date"),
            signed_at: SystemClock.now(),
        };
        return classify_refused(sent.identity, refused);
    }
    let (kind, code, message) = match error {
        SdkError::TimeoutError(_) => (ApiErrorKind::Unavailable, "Timeout", causes(error)),
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            let message = format!("{} (HTTP {status})", causes(error));
            (ApiErrorKind::Unavailable, "BadResponse", message)
        }
        other if let Some(failure) = CredentialFailure::find_in(other) => {
            return missing_credentials(failure);
        }
        SdkError::DispatchFailure(_) => return unreached(sent.endpoint, error),
        _ => (ApiErrorKind::Other, "ConstructionFailure", causes(error)),
    };
    unanswered(kind, code, message)
}

/// Classifies a refusal.
pub(super) fn classify_refused(
    identity: Option<&Identity>,
    refused: RefusedRequest<'_>,
) -> ClassifiedError {
    let status = refused.status;
    let code = refused.code.map(str::to_owned);
    let code = code.unwrap_or_else(|| format!("HTTP {status}"));
    let mut message = refused.message.unwrap_or("no message").to_owned();
    if let Some(id) = refused.request_id {
        message = format!("{message} (request {id})");
    }
    let kind = match kind_of_code(&code) {
        ApiErrorKind::Other if status >= 500 => ApiErrorKind::Unavailable,
        ApiErrorKind::Other if status == 429 => ApiErrorKind::Throttled,
        ApiErrorKind::Credentials => {
            let skew = refused.date;
            let skew = skew.and_then(|date| ClockSkew::of(date, refused.signed_at));
            classify_rejected_credentials(&code, skew, identity, &mut message)
        }
        kind => kind,
    };
    ClassifiedError {
        kind,
        code,
        message,
        answered: true,
    }
}

/// Classifies the error of a request that has no answer because of the connection.
pub(super) fn unreached(endpoint: &str, error: &(dyn StdError + 'static)) -> ClassifiedError {
    let message = format!("{} (endpoint {endpoint})", causes(error));
    let permanent = ConnectFailure::find_in(error).is_some_and(|failure| failure.permanent);
    let kind = match permanent {
        true => ApiErrorKind::Connection,
        false => ApiErrorKind::Unavailable,
    };
    unanswered(kind, ApiError::CONNECTION_FAILURE, message)
}

fn unanswered(kind: ApiErrorKind, code: &str, message: String) -> ClassifiedError {
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

/// Classifies rejected credentials and adds advice to `message`. `skew` is that of the time in the signature.
fn classify_rejected_credentials(
    code: &str,
    skew: Option<ClockSkew>,
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
    match skew.and_then(ClockSkew::problem) {
        Some(problem) if SIGNATURE_CODES.contains(&code) => {
            message.push_str("; ");
            message.push_str(&problem);
            // The next request is signed with the service's time.
            ApiErrorKind::Unavailable
        }
        _ => ApiErrorKind::Credentials,
    }
}

/// Classifies the error of a request without credentials.
pub(super) fn missing_credentials(failure: &CredentialFailure) -> ClassifiedError {
    let message = format!("no AWS credentials: {failure}");
    let (kind, message) = match failure.transient {
        true => (ApiErrorKind::Unavailable, message),
        false => (
            ApiErrorKind::Credentials,
            format!("{message}; {HOW_TO_SET_CREDENTIALS}"),
        ),
    };
    unanswered(kind, ApiError::NO_CREDENTIALS, message)
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
    fn permissions_of_subscriptions_are_those_of_consumers() {
        let advice = advised(
            Operation::SubscribeToShard,
            ARN,
            "AccessDeniedException",
            "no",
        );
        assert!(
            advice.starts_with("; allow kinesis:SubscribeToShard on the consumers of arn:"),
            "{advice}"
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
