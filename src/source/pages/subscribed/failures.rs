//! What follows when a subscription is refused or breaks.

use super::consumer::StreamConsumer;
use super::{Reading, SubscribedPages};
use crate::kinesis::{ApiError, ApiErrorKind, Operation};
use crate::model::ConsumerArn;
use crate::source::pages::{Failure, PageError, ShardPage};

impl SubscribedPages {
    /// Handles a refusal because the stream, the shard or the consumer is unknown. A poll shows whether it is one of the
    /// first two, and then fails as it does without subscriptions. If it succeeds, the consumer is missing.
    pub(super) async fn unknown(
        &mut self,
        consumer: &StreamConsumer,
        arn: &ConsumerArn,
        error: ApiError,
    ) -> Result<Option<ShardPage>, PageError> {
        if !std::mem::take(&mut self.was_polled) {
            self.was_polled = true;
            self.reading = Reading::Polling;
            return Ok(None);
        }
        if !self.settings.consumer.is_subscribed() {
            // It was given up meanwhile, and is not to be registered again.
            self.reading = Reading::Unsubscribed;
            return Ok(None);
        }
        match consumer.renew(arn).await {
            Ok(true) => Ok(None),
            Ok(false) => self.refused(error),
            Err(error) => self.refused(error),
        }
    }

    /// Handles the failure of a subscription.
    pub(super) fn refused(&mut self, error: ApiError) -> Result<Option<ShardPage>, PageError> {
        if !self.settings.consumer.is_subscribed() {
            // It ended because the consumer was given up.
            return Ok(None);
        }
        let failed = self.failure(error);
        match &self.auto {
            Some(auto) if failed.failure == Failure::Permanent => {
                auto.failed(&failed.error);
                self.schedule.reset_failures();
                Ok(None)
            }
            _ => Err(failed),
        }
    }

    /// What the failure of a subscription means.
    fn failure(&mut self, error: ApiError) -> PageError {
        let failures = match error.is_unreached() {
            // An outage of the network passes, however long it takes.
            true => 0,
            false => self.schedule.failed(),
        };
        let failure = match error.kind() {
            ApiErrorKind::ResourceInUse => Failure::Transient,
            _ => self.polling.classify(&error),
        };
        let advice = match error.kind() {
            ApiErrorKind::ResourceInUse => format!(
                "; another reader may have subscribed as consumer '{}': give each query a consumer of its own \
                 ('kinesis.consumerName')",
                self.settings.consumer.name()
            ),
            _ => String::new(),
        };
        let is_last = failure == Failure::Transient && failures > self.settings.max_retries;
        let (failure, retries) = match is_last {
            true => (
                Failure::Permanent,
                format!(
                    "; {failures} failures in a row exceed 'kinesis.subscribeToShard.maxRetries' = {}",
                    self.settings.max_retries
                ),
            ),
            false => (failure, String::new()),
        };
        if advice.is_empty() && retries.is_empty() {
            return PageError { error, failure };
        }
        let message = format!("{}{advice}{retries}", error.message());
        let code = error.code().to_owned();
        let said = ApiError::new(error.kind(), Operation::SubscribeToShard, code, message);
        PageError {
            error: said.with_source(error),
            failure,
        }
    }
}

pub(super) fn error(kind: ApiErrorKind, code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(kind, Operation::SubscribeToShard, code, message)
}
