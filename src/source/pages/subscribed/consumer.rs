//! The consumer whose name subscriptions carry: found or registered, found again, deregistered.
//!
//! **Whose is it?** A query deregisters the consumer that it has registered, whichever of its runs did. The consumer
//! itself says so, by a tag with the id of the query, and not the checkpoint:
//!
//! - The service registers and tags in one step. A note in the checkpoint would have to be written before, and after a
//!   crash in between nobody could tell whether the consumer is that of the note or one that somebody else registered.
//! - The tag goes with the consumer. One that is registered later under the same name does not have it, and neither does
//!   one in a stream that is made anew.
//! - Every store of checkpoints works, those of other programs included, and entries keep their format, so that older
//!   versions of the program read them.
//!
//! The price is two permissions, kinesis:TagResource and kinesis:ListTagsForResource. Without them the query works, but
//! only the run that has registered the consumer deregisters it. A query without a checkpoint has another id in each
//! run, and does not tag.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::registration::{Attempt, QUERY_TAG, Registration, STATUS_INTERVAL, STATUS_TIMEOUT};
use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, ConsumerId, ConsumerStatus, ConsumerSummary,
    FanOut, Kinesis, Operation, with_retries,
};
use crate::model::{ConsumerArn, ConsumerLifecycle, ConsumerName, RetryPolicy};
use crate::options::FanOutOptions;
use crate::source::context::StreamContext;

/// The time in which a consumer is registered anew once. If it is deregistered again, somebody does so on purpose.
const RENEWED_ONCE: Duration = Duration::from_secs(600);

/// How often a warning about another reader of the consumer is logged.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The consumer of one streaming query.
#[derive(Debug)]
pub(crate) struct StreamConsumer {
    kinesis: Arc<dyn Kinesis>,
    stream_arn: Arc<str>,
    options: FanOutOptions,
    /// The id of the query, if the next run has the same one.
    query: Option<Arc<str>>,
    retry: RetryPolicy,
    current: Mutex<Current>,
    /// When a warning about another reader was logged last.
    warned_at: Mutex<Option<Instant>>,
    /// Held while the consumer is registered anew, so that all shards wait for one registration.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Current {
    arn: ConsumerArn,
    /// The one that this run has registered last.
    registered: Option<ConsumerArn>,
    renewed_at: Option<Instant>,
}

impl StreamConsumer {
    /// Finds or registers the consumer and waits until it is active. `query` is the id of the query, unless it ends with
    /// this run.
    ///
    /// # Errors
    /// The consumer does not exist and must; a limit on consumers or a permission forbids it; the service has no
    /// enhanced fan-out.
    pub(crate) async fn start(
        context: &StreamContext,
        stream_arn: Arc<str>,
        options: &FanOutOptions,
        query: Option<Arc<str>>,
        random: fastrand::Rng,
    ) -> Result<Self> {
        let kinesis = Arc::clone(&context.kinesis);
        let Some(fan_out) = kinesis.fan_out() else {
            return Err(no_fan_out());
        };
        let registration = Registration::new(fan_out, &stream_arn, options, query.as_deref());
        let mut backoff = Backoff::new(context.retry, random);
        let arn = registration.found(&mut backoff).await?;
        let registered = registration.registered();
        Ok(Self::new(
            context, stream_arn, options, query, arn, registered,
        ))
    }

    fn new(
        context: &StreamContext,
        stream_arn: Arc<str>,
        options: &FanOutOptions,
        query: Option<Arc<str>>,
        arn: ConsumerArn,
        registered: Option<ConsumerArn>,
    ) -> Self {
        let current = Current {
            arn,
            registered,
            renewed_at: None,
        };
        Self {
            kinesis: Arc::clone(&context.kinesis),
            current: Mutex::new(current),
            options: options.clone(),
            retry: context.retry,
            warned_at: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
            stream_arn,
            query,
        }
    }

    /// The consumer if it exists; registers none, and does not wait. `None` also if it cannot be looked for.
    pub(super) async fn find(
        context: &StreamContext,
        stream_arn: Arc<str>,
        options: &FanOutOptions,
        query: Option<Arc<str>>,
    ) -> Option<Self> {
        let kinesis = Arc::clone(&context.kinesis);
        let id = ConsumerId::Name(&stream_arn, &options.consumer);
        let found = kinesis.fan_out()?.describe_consumer(id).await.ok()?;
        Some(Self::new(
            context, stream_arn, options, query, found.arn, None,
        ))
    }

    /// Finds or registers the consumer again, because the stream may be another one by now.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(crate) async fn find_again(&self, random: fastrand::Rng) -> Result<()> {
        let Some(fan_out) = self.kinesis.fan_out() else {
            return Err(no_fan_out());
        };
        let registration = self.registration(fan_out);
        let mut backoff = Backoff::new(self.retry, random);
        let arn = registration.found(&mut backoff).await?;
        let mut current = self.current();
        if current.arn != arn {
            current.renewed_at = None;
        }
        current.arn = arn;
        current.registered = registration.registered().or(current.registered.take());
        Ok(())
    }

    fn registration<'a>(&'a self, fan_out: &'a dyn FanOut) -> Registration<'a> {
        let query = self.query.as_deref();
        Registration::new(fan_out, &self.stream_arn, &self.options, query)
    }

    /// The name of the consumer.
    pub(crate) fn name(&self) -> &ConsumerName {
        &self.options.consumer
    }

    /// The ARN of the consumer.
    pub(super) fn arn(&self) -> ConsumerArn {
        self.current().arn.clone()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a refusal of `arn` as unknown. Registers the consumer anew if it no longer exists, but not twice in a
    /// row. Returns whether another ARN is in use now.
    ///
    /// # Errors
    /// The consumer no longer exists and cannot be registered, or a request fails.
    pub(super) async fn renew(&self, arn: &ConsumerArn) -> ApiResult<bool> {
        let _renewing = self.renewing.lock().await;
        let current = self.current().clone();
        if current.arn != *arn {
            return Ok(true);
        }
        let Some(fan_out) = self.kinesis.fan_out() else {
            return Ok(false);
        };
        let described = fan_out.describe_consumer(ConsumerId::Arn(arn)).await;
        match described {
            Ok(ConsumerSummary {
                status: ConsumerStatus::Active,
                ..
            }) => return Ok(false),
            Err(error) if error.kind() != ApiErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let was_renewed = current.renewed_at;
        if was_renewed.is_some_and(|renewed| renewed.elapsed() < RENEWED_ONCE) {
            return Err(self.deregistered());
        }
        tracing::warn!(consumer = %self.name(), "the consumer was deregistered; looking for another one of its name");
        let registration = self.registration(fan_out);
        let found = self.found_anew(&registration).await;
        let mut current = self.current();
        current.registered = registration.registered().or(current.registered.take());
        current.arn = found?;
        current.renewed_at = Some(Instant::now());
        Ok(true)
    }

    /// The ARN of the consumer, once it is active. All shards wait for it, instead of using up their retries.
    async fn found_anew(&self, registration: &Registration<'_>) -> ApiResult<ConsumerArn> {
        let began = Instant::now();
        loop {
            match registration.attempt().await? {
                Attempt::Active(arn) => return Ok(arn),
                Attempt::Missing => return Err(self.deregistered()),
                Attempt::NotYet(why) if began.elapsed() > STATUS_TIMEOUT => {
                    return Err(ApiError::new(
                        ApiErrorKind::ResourceInUse,
                        Operation::RegisterStreamConsumer,
                        "ResourceInUseException",
                        format!("consumer '{}': {why}", self.name()),
                    ));
                }
                Attempt::NotYet(_) => tokio::time::sleep(STATUS_INTERVAL).await,
            }
        }
    }

    fn deregistered(&self) -> ApiError {
        let message = format!(
            "consumer '{}' was deregistered while the query used it: give each query a consumer of its own \
             ('kinesis.consumerName')",
            self.name()
        );
        ApiError::new(
            ApiErrorKind::Other,
            Operation::SubscribeToShard,
            "ResourceNotFoundException",
            message,
        )
    }

    /// Another reader has taken over a subscription of this consumer. Logs it, but not for each shard.
    pub(super) fn taken_over(&self) {
        let mut warned_at = self
            .warned_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if warned_at.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            *warned_at = Some(Instant::now());
            tracing::warn!(
                consumer = %self.name(),
                "another reader takes over subscriptions of the consumer, which delays the records of both: give \
                 each query a consumer of its own ('kinesis.consumerName')"
            );
        }
    }

    /// Whether the end of the query may deregister it.
    pub(crate) fn is_managed(&self) -> bool {
        self.options.lifecycle == ConsumerLifecycle::Managed
    }

    /// Deregisters the consumer if this query has registered it and may. Failures are logged only: the query has
    /// ended.
    pub(crate) async fn end(&self, random: fastrand::Rng) {
        let Some(fan_out) = self.kinesis.fan_out().filter(|_| self.is_managed()) else {
            return;
        };
        let Current {
            arn, registered, ..
        } = self.current().clone();
        let mut backoff = Backoff::new(self.retry, random);
        if registered.as_ref() != Some(&arn) && !self.has_tag(fan_out, &arn, &mut backoff).await {
            return;
        }
        let deregister = || async {
            match fan_out.deregister_consumer(&arn).await {
                // Somebody was faster, or the answer to an earlier try was lost.
                Err(error) if error.kind() == ApiErrorKind::NotFound => Ok(()),
                done => done,
            }
        };
        match with_retries(&mut backoff, &arn, deregister).await {
            Ok(()) => tracing::info!(consumer = %self.name(), "deregistered the consumer"),
            Err(error) => tracing::warn!(
                consumer = %self.name(), %error,
                "cannot deregister the consumer, which costs money until it is deregistered"
            ),
        }
    }

    /// Whether an earlier run of this query has registered the consumer.
    async fn has_tag(
        &self,
        fan_out: &dyn FanOut,
        arn: &ConsumerArn,
        backoff: &mut Backoff,
    ) -> bool {
        let Some(query) = &self.query else {
            return false;
        };
        let tags = with_retries(backoff, arn, || fan_out.consumer_tags(arn)).await;
        match tags {
            Ok(tags) => tags.get(QUERY_TAG).map(String::as_str) == Some(&**query),
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(
                        consumer = %self.name(), %error,
                        "cannot read the tags of the consumer, which say whether this query has registered it: it \
                         stays registered, and costs money until it is deregistered"
                    );
                }
                false
            }
        }
    }
}

fn no_fan_out() -> Error {
    Error::invalid_option(
        "'kinesis.consumerType' = 'SubscribeToShard': this implementation of Kinesis has no enhanced fan-out",
    )
}
