//! The consumer whose name subscriptions carry: registered, found again, deregistered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, ConsumerId, ConsumerStatus, ConsumerSummary,
    FanOut, Kinesis, Operation, with_retries,
};
use crate::model::{ConsumerArn, ConsumerLifecycle, ConsumerName};
use crate::options::FanOutOptions;
use crate::source::context::StreamContext;

/// How often the status of a consumer is requested. The service allows 20 calls per second and stream.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// How long a consumer may take to become active, or to disappear. It takes seconds.
const STATUS_TIMEOUT: Duration = Duration::from_secs(300);

/// The time in which a consumer is registered anew once. If it is deregistered again, somebody does so on purpose.
const RENEWED_ONCE: Duration = Duration::from_secs(600);

/// How often a warning about another reader of the consumer is logged.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The consumer of one streaming query.
#[derive(Debug)]
pub(crate) struct StreamConsumer {
    kinesis: Arc<dyn Kinesis>,
    stream_arn: Arc<str>,
    name: ConsumerName,
    lifecycle: ConsumerLifecycle,
    current: Mutex<Registered>,
    /// When a warning about another reader was logged last.
    warned_at: Mutex<Option<Instant>>,
    /// Held while the consumer is registered anew, so that all shards wait for one registration.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Registered {
    arn: ConsumerArn,
    /// Whether this query has registered it.
    is_ours: bool,
    renewed_at: Option<Instant>,
}

impl StreamConsumer {
    /// Finds or registers the consumer and waits until it is active.
    ///
    /// # Errors
    /// The consumer does not exist and must; a limit on consumers or a permission forbids it; the service has no
    /// enhanced fan-out.
    pub(crate) async fn start(
        context: &StreamContext,
        stream_arn: Arc<str>,
        options: &FanOutOptions,
        random: fastrand::Rng,
    ) -> Result<Self> {
        let mut backoff = Backoff::new(context.retry, random);
        let kinesis = Arc::clone(&context.kinesis);
        let found = match kinesis.fan_out() {
            None => Err(Error::invalid_option(
                "'kinesis.consumerType' = 'SubscribeToShard': this implementation of Kinesis has no enhanced \
                 fan-out",
            )),
            Some(fan_out) => {
                let registration = Registration {
                    fan_out,
                    stream_arn: &stream_arn,
                    options,
                };
                registration.active(&mut backoff).await
            }
        };
        let current = Mutex::new(found?);
        Ok(Self {
            kinesis,
            stream_arn,
            name: options.consumer.clone(),
            lifecycle: options.lifecycle,
            current,
            warned_at: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
        })
    }

    /// The name of the consumer.
    pub(crate) fn name(&self) -> &ConsumerName {
        &self.name
    }

    /// The ARN of the consumer.
    pub(super) fn arn(&self) -> ConsumerArn {
        self.registered().arn
    }

    fn registered(&self) -> Registered {
        let current = self.current.lock();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Handles a refusal of `arn` as unknown. Registers the consumer anew if it no longer exists, but not twice in a
    /// row. Returns whether another ARN is in use now.
    ///
    /// # Errors
    /// The consumer no longer exists and cannot be registered, or a request fails.
    pub(super) async fn renew(&self, arn: &ConsumerArn) -> ApiResult<bool> {
        let _renewing = self.renewing.lock().await;
        let registered = self.registered();
        if registered.arn != *arn {
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
            Ok(ConsumerSummary {
                status: ConsumerStatus::Creating,
                ..
            }) => return Err(still_creating(&self.name)),
            Err(error) if error.kind() != ApiErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let was_renewed = registered.renewed_at;
        let was_renewed = was_renewed.is_some_and(|renewed| renewed.elapsed() < RENEWED_ONCE);
        if was_renewed || self.lifecycle == ConsumerLifecycle::External {
            let message = format!(
                "consumer '{}' was deregistered while the query used it: give each query a consumer of its own \
                 ('kinesis.consumerName')",
                self.name
            );
            let call = Operation::SubscribeToShard;
            return Err(ApiError::new(
                ApiErrorKind::Other,
                call,
                "ResourceNotFoundException",
                message,
            ));
        }
        tracing::warn!(consumer = %self.name, "the consumer was deregistered; registering it again");
        let created = fan_out.register_consumer(&self.stream_arn, &self.name);
        let created = self.active(fan_out, created.await?).await?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Registered {
            arn: created.arn,
            is_ours: true,
            renewed_at: Some(Instant::now()),
        };
        Ok(true)
    }

    /// The consumer, once it is active. All shards wait for it, instead of using up their retries.
    async fn active(
        &self,
        fan_out: &dyn FanOut,
        mut consumer: ConsumerSummary,
    ) -> ApiResult<ConsumerSummary> {
        let began = Instant::now();
        while consumer.status == ConsumerStatus::Creating {
            if began.elapsed() > STATUS_TIMEOUT {
                return Err(still_creating(&self.name));
            }
            tokio::time::sleep(STATUS_INTERVAL).await;
            let described = fan_out.describe_consumer(ConsumerId::Arn(&consumer.arn));
            consumer = described.await?;
        }
        Ok(consumer)
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
                consumer = %self.name,
                "another reader takes over subscriptions of the consumer, which delays the records of both: give \
                 each query a consumer of its own ('kinesis.consumerName')"
            );
        }
    }

    /// Deregisters the consumer if this query has registered it and may. Failures are logged only: the query has
    /// ended.
    pub(crate) async fn end(&self) {
        let registered = self.registered();
        if self.lifecycle != ConsumerLifecycle::Managed || !registered.is_ours {
            return;
        }
        let Some(fan_out) = self.kinesis.fan_out() else {
            return;
        };
        match fan_out.deregister_consumer(&registered.arn).await {
            Ok(()) => tracing::info!(consumer = %self.name, "deregistered the consumer"),
            Err(error) if error.kind() == ApiErrorKind::NotFound => {}
            Err(error) => tracing::warn!(
                consumer = %self.name, %error,
                "cannot deregister the consumer, which costs money until it is deregistered"
            ),
        }
    }
}

/// Finds or registers a consumer.
struct Registration<'a> {
    fan_out: &'a dyn FanOut,
    stream_arn: &'a str,
    options: &'a FanOutOptions,
}

impl Registration<'_> {
    /// The consumer, once it is active.
    async fn active(&self, backoff: &mut Backoff) -> Result<Registered> {
        let began = Instant::now();
        let mut is_ours = false;
        loop {
            let consumer = match self.described(backoff).await? {
                Some(consumer) => consumer,
                None if self.options.lifecycle == ConsumerLifecycle::External => {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        format!(
                            "{}: it does not exist: register it, or set 'kinesis.consumerLifecycle' to 'managed' or \
                             'reuse', with which the query registers it",
                            self.context()
                        ),
                    ));
                }
                None => {
                    let registered = self.registered(backoff).await?;
                    is_ours |= registered.is_some();
                    match registered {
                        Some(consumer) => consumer,
                        // Another process was faster.
                        None => continue,
                    }
                }
            };
            if consumer.status == ConsumerStatus::Active {
                return Ok(Registered {
                    arn: consumer.arn,
                    is_ours,
                    renewed_at: None,
                });
            }
            if began.elapsed() > STATUS_TIMEOUT {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!(
                        "{}: its status is still {:?} after {} s",
                        self.context(),
                        consumer.status,
                        STATUS_TIMEOUT.as_secs()
                    ),
                ));
            }
            // A consumer that is being deleted disappears, and is registered anew then.
            tracing::info!(consumer = %self.options.consumer, status = ?consumer.status, "waiting for the consumer");
            tokio::time::sleep(STATUS_INTERVAL).await;
        }
    }

    fn context(&self) -> String {
        format!(
            "consumer '{}' of {}",
            self.options.consumer, self.stream_arn
        )
    }

    async fn described(&self, backoff: &mut Backoff) -> Result<Option<ConsumerSummary>> {
        let describe = || async {
            let id = match &self.options.arn {
                Some(arn) => ConsumerId::Arn(arn),
                None => ConsumerId::Name(self.stream_arn, &self.options.consumer),
            };
            match self.fan_out.describe_consumer(id).await {
                Ok(consumer) => Ok(Some(consumer)),
                Err(error) if error.kind() == ApiErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        };
        with_retries(backoff, self.context(), describe).await
    }

    /// The new consumer; `None` if it exists by now.
    async fn registered(&self, backoff: &mut Backoff) -> Result<Option<ConsumerSummary>> {
        let register = || async {
            let created = self
                .fan_out
                .register_consumer(self.stream_arn, &self.options.consumer);
            match created.await {
                Ok(consumer) => Ok(Some(consumer)),
                Err(error) if error.kind() == ApiErrorKind::ResourceInUse => Ok(None),
                Err(error) if error.code() == "LimitExceededException" => {
                    let page = self.fan_out.list_consumers(self.stream_arn, None).await;
                    let consumers = page.map(|page| page.consumers);
                    let is_creating =
                        |consumer: &ConsumerSummary| consumer.status == ConsumerStatus::Creating;
                    // The quota does not change by waiting, unlike the number of consumers that are being created.
                    let kind = match consumers {
                        Ok(consumers) if !consumers.iter().any(is_creating) => {
                            ApiErrorKind::ResourceInUse
                        }
                        _ => error.kind(),
                    };
                    let message = format!(
                        "{}; a stream has at most 20 consumers (50 with the On-demand Advantage mode), and at most 5 \
                         that are being created: list them with kinesis-sql consumers, or set \
                         'kinesis.consumerName' to an existing one",
                        error.message()
                    );
                    let code = error.code().to_owned();
                    let call = Operation::RegisterStreamConsumer;
                    Err(ApiError::new(kind, call, code, message))
                }
                Err(error) => Err(error),
            }
        };
        with_retries(backoff, self.context(), register).await
    }
}

fn still_creating(name: &ConsumerName) -> ApiError {
    ApiError::new(
        ApiErrorKind::ResourceInUse,
        Operation::DescribeStreamConsumer,
        "ResourceInUseException",
        format!("consumer '{name}' is still being created"),
    )
}
