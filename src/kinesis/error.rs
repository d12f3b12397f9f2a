//! Errors of a single request, classified by what the caller should do next.

use std::error::Error as StdError;
use std::fmt;

use crate::error::{Error, ErrorKind};

/// The result of one request.
pub type ApiResult<T> = Result<T, ApiError>;

/// An API operation of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "the variants are the operation names of the API"
)]
#[non_exhaustive]
pub enum Operation {
    CreateStream,
    DecreaseStreamRetentionPeriod,
    DeleteStream,
    DescribeLimits,
    DescribeStream,
    DescribeStreamSummary,
    GetRecords,
    GetShardIterator,
    IncreaseStreamRetentionPeriod,
    ListShards,
    ListStreams,
    MergeShards,
    PutRecord,
    PutRecords,
    SplitShard,
    UpdateMaxRecordSize,
    UpdateShardCount,
    UpdateStreamRecordDistributionStrategy,
    // The simulator seeds its faults by the discriminant of an operation, so append new ones at the
    // end.
    AddTagsToStream,
    DeleteResourcePolicy,
    DescribeAccountSettings,
    DisableEnhancedMonitoring,
    EnableEnhancedMonitoring,
    GetResourcePolicy,
    ListTagsForResource,
    ListTagsForStream,
    PutResourcePolicy,
    RemoveTagsFromStream,
    StartStreamEncryption,
    StopStreamEncryption,
    TagResource,
    UntagResource,
    UpdateAccountSettings,
    UpdateStreamMode,
    UpdateStreamWarmThroughput,
    DeregisterStreamConsumer,
    DescribeStreamConsumer,
    ListStreamConsumers,
    RegisterStreamConsumer,
    SubscribeToShard,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the caller should do about a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiErrorKind {
    /// The request rate of the shard or the account is too high: wait, then retry.
    Throttled,
    /// The service or the network failed, or the request timed out: retry.
    Unavailable,
    /// The iterator is older than five minutes: request a new one after the last record delivered.
    ExpiredIterator,
    /// The page token is older than five minutes: restart the listing.
    ExpiredNextToken,
    /// The stream's status does not allow the call, or the stream already exists.
    ResourceInUse,
    /// The stream or shard does not exist.
    NotFound,
    /// The service rejected an argument.
    InvalidArgument,
    /// A permission is missing, or a KMS key is missing or unusable.
    AccessDenied,
    /// Credentials are missing, invalid or expired.
    Credentials,
    /// The connection is misconfigured: the server certificate is not trusted, or a proxy rejects
    /// the client.
    Connection,
    /// Any other failure.
    Other,
}

/// A failed request.
pub struct ApiError {
    kind: ApiErrorKind,
    operation: Operation,
    code: String,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ApiError {
    /// Creates an error of `operation` with the service's error code and message.
    pub fn new(
        kind: ApiErrorKind,
        operation: Operation,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            operation,
            code: code.into(),
            message: message.into(),
            source: None,
        }
    }

    /// The code of a request for which no connection could be opened.
    pub(crate) const CONNECTION_FAILURE: &'static str = "ConnectionFailure";

    /// The code of a request for which there were no credentials.
    pub(crate) const NO_CREDENTIALS: &'static str = "NoCredentials";

    /// Creates an error whose kind follows from the service's error code.
    pub fn from_code(operation: Operation, code: &str, message: impl Into<String>) -> Self {
        Self::new(kind_of_code(code), operation, code, message)
    }

    /// Replaces the kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ApiErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller should do next.
    pub fn kind(&self) -> ApiErrorKind {
        self.kind
    }

    /// The service's error code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The service's error message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether a retry of the same request may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            ApiErrorKind::Throttled | ApiErrorKind::Unavailable
        )
    }

    /// Whether the request did not reach the service, which may be reached later.
    pub(crate) fn is_unreached(&self) -> bool {
        let codes = [Self::CONNECTION_FAILURE, Self::NO_CREDENTIALS];
        self.kind == ApiErrorKind::Unavailable && codes.contains(&self.code.as_str())
    }

    /// Converts into the crate's error; `context` names the stream, the shard and the position.
    pub fn into_error(self, context: impl fmt::Display) -> Error {
        let kind = match self.kind {
            ApiErrorKind::Throttled
            | ApiErrorKind::Unavailable
            | ApiErrorKind::ExpiredIterator
            | ApiErrorKind::ResourceInUse => ErrorKind::Unavailable,
            ApiErrorKind::NotFound => ErrorKind::NotFound,
            ApiErrorKind::AccessDenied | ApiErrorKind::Credentials => ErrorKind::AccessDenied,
            ApiErrorKind::InvalidArgument | ApiErrorKind::Connection => ErrorKind::InvalidOption,
            ApiErrorKind::ExpiredNextToken | ApiErrorKind::Other => ErrorKind::Internal,
        };
        Error::new(kind, format!("{context}: {self}")).with_source(self)
    }
}

/// Classifies the service's error codes (API reference, "Errors" of each operation, and "Common
/// Errors").
pub(crate) fn kind_of_code(code: &str) -> ApiErrorKind {
    match code {
        "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "KMSThrottlingException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown" => ApiErrorKind::Throttled,
        "InternalFailureException"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "RequestTimeout"
        | "RequestTimeoutException" => ApiErrorKind::Unavailable,
        "ExpiredIteratorException" => ApiErrorKind::ExpiredIterator,
        "ExpiredNextTokenException" => ApiErrorKind::ExpiredNextToken,
        "ResourceInUseException" => ApiErrorKind::ResourceInUse,
        "ResourceNotFoundException" => ApiErrorKind::NotFound,
        "InvalidArgumentException" | "ValidationException" | "ValidationError" => {
            ApiErrorKind::InvalidArgument
        }
        "AccessDeniedException"
        | "AccessDenied"
        | "KMSAccessDeniedException"
        | "KMSDisabledException"
        | "KMSInvalidStateException"
        | "KMSNotFoundException"
        | "KMSOptInRequired"
        | "NotAuthorized"
        | "OptInRequired" => ApiErrorKind::AccessDenied,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => ApiErrorKind::Credentials,
        _ => ApiErrorKind::Other,
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} failed: {}: {}",
            self.operation, self.code, self.message
        )
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_map_to_kinds() {
        let kind = |code| ApiError::from_code(Operation::GetRecords, code, "").kind();
        assert_eq!(kind("KMSThrottlingException"), ApiErrorKind::Throttled);
        assert_eq!(kind("KMSDisabledException"), ApiErrorKind::AccessDenied);
        assert_eq!(
            kind("ExpiredIteratorException"),
            ApiErrorKind::ExpiredIterator
        );
        assert_eq!(kind("ExpiredTokenException"), ApiErrorKind::Credentials);
        assert_eq!(kind("SomethingNew"), ApiErrorKind::Other);
    }

    #[test]
    fn the_converted_error_has_context_and_cause() {
        let error = ApiError::from_code(
            Operation::GetShardIterator,
            "ResourceNotFoundException",
            "Stream x not found.",
        )
        .into_error("stream 'x'");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(
            error.to_string(),
            "stream 'x': GetShardIterator failed: ResourceNotFoundException: Stream x not found."
        );
        assert!(StdError::source(&error).is_some());
    }
}
