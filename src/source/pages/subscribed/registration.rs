//! Finds or registers a consumer, one attempt at a time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, ConsumerId, ConsumerStatus, ConsumerSummary,
    ConsumerTags, FanOut, Operation, with_retries,
};
use crate::model::{ConsumerArn, ConsumerLifecycle};
use crate::options::FanOutOptions;

/// The tag of a consumer with the id of the query that has registered it.
pub(crate) const QUERY_TAG: &str = "datafusion-kinesis/query";

/// How often the status of a consumer is requested. The service allows 20 calls per second and stream.
pub(super) const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// How long a consumer may take to become active, or to disappear. It takes seconds.
pub(super) const STATUS_TIMEOUT: Duration = Duration::from_secs(300);

/// Finds or registers a consumer.
#[derive(Debug)]
pub(super) struct Registration<'a> {
    fan_out: &'a dyn FanOut,
    stream_arn: &'a str,
    options: &'a FanOutOptions,
    tags: ConsumerTags,
    registered: Mutex<Option<ConsumerArn>>,
}

/// What an attempt has found.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The consumer can subscribe.
    Active(ConsumerArn),
    /// Try again after [`STATUS_INTERVAL`], for this reason.
    NotYet(String),
    /// It does not exist, and somebody else must register it.
    Missing,
}

impl<'a> Registration<'a> {
    /// Registers on behalf of `query`.
    pub(super) fn new(
        fan_out: &'a dyn FanOut,
        stream_arn: &'a str,
        options: &'a FanOutOptions,
        query: Option<&str>,
    ) -> Self {
        // A consumer that stays anyway needs no owner.
        let query = query.filter(|_| options.lifecycle == ConsumerLifecycle::Managed);
        let tag = query.map(|query| (QUERY_TAG.to_owned(), query.to_owned()));
        Self {
            fan_out,
            stream_arn,
            options,
            tags: tag.into_iter().collect(),
            registered: Mutex::default(),
        }
    }

    /// The consumer that these attempts have registered last.
    pub(super) fn registered(&self) -> Option<ConsumerArn> {
        let registered = self.registered.lock();
        registered.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The consumer and its stream, for messages.
    fn context(&self) -> String {
        let name = &self.options.consumer;
        format!("consumer '{name}' of {}", self.stream_arn)
    }

    /// The ARN of the consumer, once it is active.
    ///
    /// # Errors
    /// It does not exist and must; it cannot be registered; it does not become active.
    pub(super) async fn found(&self, backoff: &mut Backoff) -> Result<ConsumerArn> {
        let (began, context) = (Instant::now(), self.context());
        loop {
            let attempt = with_retries(backoff, &context, || self.attempt()).await?;
            match attempt {
                Attempt::Active(arn) => return Ok(arn),
                Attempt::Missing => {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        format!(
                            "{context}: it does not exist: register it, or set 'kinesis.consumerLifecycle' to \
                             'managed' or 'reuse', with which the query registers it"
                        ),
                    ));
                }
                Attempt::NotYet(why) if began.elapsed() > STATUS_TIMEOUT => {
                    let seconds = STATUS_TIMEOUT.as_secs();
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        format!("{context}: after {seconds} s: {why}"),
                    ));
                }
                Attempt::NotYet(why) => {
                    tracing::info!(%context, why, "waiting for the consumer");
                    tokio::time::sleep(STATUS_INTERVAL).await;
                }
            }
        }
    }

    /// Looks for the consumer, and registers it if there is none.
    pub(super) async fn attempt(&self) -> ApiResult<Attempt> {
        let id = match &self.options.arn {
            Some(arn) => ConsumerId::Arn(arn),
            None => ConsumerId::Name(self.stream_arn, &self.options.consumer),
        };
        let consumer = match self.fan_out.describe_consumer(id).await {
            Ok(consumer) => consumer,
            Err(error) if error.kind() != ApiErrorKind::NotFound => return Err(error),
            Err(_) if self.options.lifecycle == ConsumerLifecycle::External => {
                return Ok(Attempt::Missing);
            }
            Err(_) => match self.register().await? {
                Ok(consumer) => consumer,
                Err(in_use) => return Ok(Attempt::NotYet(in_use.message().to_owned())),
            },
        };
        Ok(match consumer.status {
            ConsumerStatus::Active => Attempt::Active(consumer.arn),
            // One that is being deleted disappears, and is registered anew then.
            status => Attempt::NotYet(format!("its status is {status:?}")),
        })
    }

    /// Registers the consumer. The inner error says what is in use: the name, because another process was faster, or the
    /// stream, because it is being created or deleted.
    async fn register(&self) -> ApiResult<ApiResult<ConsumerSummary>> {
        let refused = match self.register_with(&self.tags).await {
            Err(error) if !self.tags.is_empty() && may_be_due_to_tags(error.kind()) => error,
            done => return done,
        };
        let registered = self.register_with(&ConsumerTags::new()).await?;
        if registered.is_ok() {
            tracing::warn!(
                consumer = %self.options.consumer, error = %refused,
                "cannot tag the consumer, so it is registered without a tag: if this run of the query does not end \
                 gracefully, no later one deregisters it; allow kinesis:TagResource on the consumers of the stream"
            );
        }
        Ok(registered)
    }

    async fn register_with(&self, tags: &ConsumerTags) -> ApiResult<ApiResult<ConsumerSummary>> {
        let name = &self.options.consumer;
        let created = self.fan_out.register_consumer(self.stream_arn, name, tags);
        match created.await {
            Ok(consumer) => {
                let registered = self.registered.lock();
                *registered.unwrap_or_else(PoisonError::into_inner) = Some(consumer.arn.clone());
                Ok(Ok(consumer))
            }
            Err(error) if error.kind() == ApiErrorKind::ResourceInUse => Ok(Err(error)),
            Err(error) if error.code() == "LimitExceededException" => {
                Err(self.limit_exceeded(error).await)
            }
            Err(error) => Err(error),
        }
    }

    async fn limit_exceeded(&self, error: ApiError) -> ApiError {
        let page = self.fan_out.list_consumers(self.stream_arn, None).await;
        let consumers = page.map(|page| page.consumers);
        let is_creating = |consumer: &ConsumerSummary| consumer.status == ConsumerStatus::Creating;
        // The quota does not change by waiting, unlike the number of consumers that are being created.
        let kind = match consumers {
            Ok(consumers) if !consumers.iter().any(is_creating) => ApiErrorKind::ResourceInUse,
            _ => error.kind(),
        };
        let message = format!(
            "{}; a stream has at most 20 consumers (50 with the On-demand Advantage mode), and at most 5 that are \
             being created: list them with kinesis-sql consumers, or set 'kinesis.consumerName' to an existing one",
            error.message()
        );
        let code = error.code().to_owned();
        ApiError::new(kind, Operation::RegisterStreamConsumer, code, message)
    }
}

/// Whether a registration may succeed without tags. A missing permission to tag must not keep a query from running, and
/// neither must a rule of the account about tags, or a server that does not know them.
fn may_be_due_to_tags(kind: ApiErrorKind) -> bool {
    matches!(
        kind,
        ApiErrorKind::AccessDenied | ApiErrorKind::InvalidArgument | ApiErrorKind::Other
    )
}
