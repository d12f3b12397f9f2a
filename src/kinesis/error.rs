//! What a request can fail with, and what follows from it.

use std::error::Error as StdError;
use std::fmt;

use crate::error::{Error, ErrorKind};

/// The result of one request.
pub type ApiResult<T> = Result<T, ApiError>;

/// A call of the service, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the service's own")]
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
    // The simulator draws its faults by the place of an operation here: new ones go to the end.
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
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The outcome of a failed request, by what the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiErrorKind {
    /// The rate is too high for the shard or the account: wait, then again.
    Throttled,
    /// The service, the network or a time-out: again.
    Unavailable,
    /// The iterator is older than five minutes: get another after the last record delivered.
    ExpiredIterator,
    /// The page token is older than five minutes: list from the start.
    ExpiredNextToken,
    /// The stream is not in a state for this call (also: it exists already).
    ResourceInUse,
    /// The stream or shard does not exist.
    NotFound,
    /// The service does not take an argument.
    InvalidArgument,
    /// A permission or a key of KMS is missing.
    AccessDenied,
    /// No credentials, or expired ones.
    Credentials,
    /// The way to the service is set up wrongly: its certificate is not trusted, or a proxy lets nobody
    /// through.
    Connection,
    /// Anything else.
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
    /// A failure of `operation` with the service's error code and words.
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

    /// A failure with an error code of the service: the code decides the kind.
    pub fn from_code(operation: Operation, code: &str, message: impl Into<String>) -> Self {
        Self::new(kind_of_code(code), operation, code, message)
    }

    /// The same failure, to be dealt with as `kind`.
    #[must_use]
    pub fn with_kind(mut self, kind: ApiErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller does next.
    pub fn kind(&self) -> ApiErrorKind {
        self.kind
    }

    /// The service's error code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The service's words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            ApiErrorKind::Throttled | ApiErrorKind::Unavailable
        )
    }

    /// The crate's error, with `context` naming stream, shard and place.
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

/// Kinesis' error codes (API reference, "Errors" of each call, and "Common errors").
pub(super) fn kind_of_code(code: &str) -> ApiErrorKind {
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
    fn codes_the_sdk_does_not_retry_are_still_told_apart() {
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
    fn the_crates_error_says_where_and_keeps_the_cause() {
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
