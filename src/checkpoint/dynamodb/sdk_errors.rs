//! Errors of requests to DynamoDB: what they mean, whether they are transient, and what to do.

use std::error::Error as StdError;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;

use super::super::committer::StoreError;
use super::DynamoDbCommitter;
use crate::error::{Error, ErrorKind};
use crate::kinesis::{ApiErrorKind, ClassifiedError, RequestContext, classify};

/// A call of DynamoDB.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    CreateTable,
    DeleteItem,
    DescribeTable,
    GetItem,
    PutItem,
    Query,
    TransactGetItems,
    TransactWriteItems,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Self::CreateTable => "CreateTable",
            Self::DeleteItem => "DeleteItem",
            Self::DescribeTable => "DescribeTable",
            Self::GetItem => "GetItem",
            Self::PutItem => "PutItem",
            Self::Query => "Query",
            Self::TransactGetItems => "TransactGetItems",
            Self::TransactWriteItems => "TransactWriteItems",
        }
    }

    /// The actions of a policy that allow it.
    fn actions(self) -> &'static str {
        match self {
            Self::CreateTable => "dynamodb:CreateTable",
            Self::DeleteItem => "dynamodb:DeleteItem",
            Self::DescribeTable => "dynamodb:DescribeTable",
            Self::GetItem | Self::TransactGetItems => "dynamodb:GetItem",
            Self::PutItem => "dynamodb:PutItem",
            Self::Query => "dynamodb:Query",
            Self::TransactWriteItems => {
                "dynamodb:PutItem, dynamodb:DeleteItem and dynamodb:ConditionCheckItem"
            }
        }
    }
}

/// Transient codes that only DynamoDB has (Developer Guide, "Error handling").
const TRANSIENT_CODES: [&str; 4] = [
    "ReplicatedWriteConflictException",
    "ThrottlingError",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Transient reasons for the cancellation of a transaction (API reference, TransactWriteItems).
const TRANSIENT_REASONS: [&str; 5] = [
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
];

/// A failed transaction.
pub(super) trait Canceled {
    /// The cancellation reason of each action, in order; empty if the transaction failed otherwise.
    fn reasons(&self) -> &[CancellationReason];
}

impl Canceled for TransactWriteItemsError {
    fn reasons(&self) -> &[CancellationReason] {
        match self {
            Self::TransactionCanceledException(canceled) => canceled.cancellation_reasons(),
            _ => &[],
        }
    }
}

impl Canceled for TransactGetItemsError {
    fn reasons(&self) -> &[CancellationReason] {
        match self {
            Self::TransactionCanceledException(canceled) => canceled.cancellation_reasons(),
            _ => &[],
        }
    }
}

impl DynamoDbCommitter {
    /// The error of a failed request, with advice, and whether it is transient.
    pub(super) fn failed<E>(&self, call: Call, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let ClassifiedError {
            kind,
            code,
            message,
            answered,
        } = classify(
            RequestContext {
                endpoint: &self.endpoint,
                identity: self.identity.as_ref(),
            },
            &error,
        );
        let text = format!(
            "checkpoint '{}': {} failed: {code}: {message}",
            self.location,
            call.name()
        );
        let (kind, advice) = match kind {
            _ if TRANSIENT_CODES.contains(&code.as_str()) => {
                (ErrorKind::Unavailable, String::new())
            }
            ApiErrorKind::Throttled | ApiErrorKind::Unavailable => {
                (ErrorKind::Unavailable, String::new())
            }
            ApiErrorKind::AccessDenied => {
                let advice = format!("; allow {} on table '{}'", call.actions(), self.table);
                (ErrorKind::AccessDenied, advice)
            }
            ApiErrorKind::Credentials => (ErrorKind::AccessDenied, String::new()),
            ApiErrorKind::Connection => (ErrorKind::InvalidOption, String::new()),
            ApiErrorKind::NotFound => {
                let advice = format!(
                    "; table '{}' was deleted while its query is running; start the query again",
                    self.table
                );
                (ErrorKind::NotFound, advice)
            }
            _ => (ErrorKind::Checkpoint, String::new()),
        };
        let mut failed = Error::new(kind, text + &advice);
        if !answered {
            failed = failed.with_source(error);
        }
        match kind {
            ErrorKind::Unavailable => StoreError::transient(failed),
            _ => StoreError::permanent(failed),
        }
    }

    /// The same for a transaction that failed for a reason other than its conditions.
    pub(super) fn transaction_failed<E>(
        &self,
        call: Call,
        error: SdkError<E, HttpResponse>,
    ) -> StoreError
    where
        E: Canceled + ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        if is_unknown_operation(&error) {
            return self.without_transactions(call, error);
        }
        let reasons = error.as_service_error().map_or(&[][..], Canceled::reasons);
        if reasons.is_empty() {
            return self.failed(call, error);
        }
        let reasons_text: Vec<_> = reasons
            .iter()
            .filter(|reason| reason.code().is_some_and(|code| code != "None"))
            .map(|reason| {
                let (code, message) = (reason.code(), reason.message());
                format!(
                    "{}: {}",
                    code.unwrap_or("no code"),
                    message.unwrap_or("no message")
                )
            })
            .collect();
        let text = format!(
            "checkpoint '{}': {} was canceled: {}",
            self.location,
            call.name(),
            reasons_text.join("; ")
        );
        let is_transient = |reason: &CancellationReason| {
            let code = reason.code().unwrap_or_default();
            TRANSIENT_REASONS.contains(&code)
        };
        if reasons.iter().any(is_transient) {
            return StoreError::transient(Error::new(ErrorKind::Unavailable, text));
        }
        StoreError::permanent(Error::new(ErrorKind::Checkpoint, text))
    }

    fn without_transactions<E>(&self, call: Call, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let (location, name) = (&self.location, call.name());
        let code = error.code().unwrap_or("no code").to_owned();
        let message = format!(
            "checkpoint '{location}': the server at endpoint {} does not support transactions ({name} \
             failed: {code}), which fence two runs of a query; expected DynamoDB, or a compatible server \
             with transactions; an object store does not need them: 'kinesis.metadataCommitterType' = \
             'HDFS'",
            self.endpoint
        );
        StoreError::permanent(Error::new(ErrorKind::Unsupported, message).with_source(error))
    }
}

/// Whether the server does not implement the call. DynamoDB has a code for that; other servers have their own, or
/// only the HTTP status.
pub(super) fn is_unknown_operation<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> bool {
    const CODES: [&str; 4] = [
        "UnknownOperationException",
        "UnknownOperation",
        "NotImplemented",
        "UnsupportedOperationException",
    ];
    let SdkError::ServiceError(answer) = error else {
        return false;
    };
    let code = answer.err().code();
    code.is_some_and(|code| CODES.contains(&code)) || answer.raw().status().as_u16() == 501
}
