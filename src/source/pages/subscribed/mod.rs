//! The pages of one shard by enhanced fan-out: events that the service pushes.
//!
//! ```text
//!   Polling ──a page proves what was read──▶ Waiting ──earliest time──▶ Subscribing ──accepted──▶ Open
//!      ▲                                        ▲                            │                      │
//!      │                                        └───────── refused ──────────┘                      │
//!      │                                        └──────── five minutes, error, silence, pause ──────┘
//!      └── records behind the position may have expired, events claim the end but name no children, or the consumer is
//!          unknown
//! ```
//!
//! - **Proofs.** A subscription says nothing about records that expired before it began, or while it lags behind. So the
//!   first page is polled, and so is the next one whenever records after the position may have expired: an event that
//!   arrives then is dropped.
//! - **Position.** The continuation of an event is where the next subscription begins, but it need not be the number of
//!   a record. So it stays in here, and the position of the pages is always that of a record.
//! - **Late events.** Events are taken from the open subscription alone, and an older one is dropped before the next
//!   call is sent, so no event of an older subscription can arrive.
//! - **Coverage.** Events do not say when they were sent. The first one is sent after the request of the subscription.
//!   An event that arrives when its reader has waited for seconds is sent after the wait began, less the time that an
//!   event is on the way. That takes milliseconds; five seconds are deducted, because connections stall, and a time that
//!   is too late would let a watermark pass rows that are still to come.

mod auto;
mod choice;
mod consumer;
mod failures;
mod parked;
mod registration;
mod schedule;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::auto::AutoConsumer;
use self::auto::AutoShard;
pub(crate) use self::choice::ConsumerChoice;
pub(crate) use self::consumer::StreamConsumer;
use self::failures::error;
use self::parked::ParkedSubscription;
#[cfg(feature = "cli")]
pub(crate) use self::registration::QUERY_TAG;
use self::schedule::SubscribeSchedule;
use super::polling::{PollingPages, iterator_position};
use super::{PageError, PageRequest, PageSource, ShardPage};
use crate::kinesis::{
    ApiErrorKind, IteratorPosition, RecordColumns, Subscription, SubscriptionEvent,
};
use crate::model::{SequenceNumber, ShardId, ShardPosition, UnixMillis};
use crate::source::context::StreamContext;

/// Events arrive about every five seconds, with or without records. A subscription that is silent for longer is dead.
const LONGEST_SILENCE: Duration = Duration::from_secs(35);

/// A wait that is much longer than an event is on the way.
const TELLING_SILENCE: Duration = Duration::from_secs(2);

/// How long an event may have been on the way.
const ON_THE_WAY: Duration = Duration::from_secs(5);

/// How a shard is subscribed to.
#[derive(Debug, Clone)]
pub(crate) struct SubscribedSettings {
    pub(crate) consumer: ConsumerChoice,
    /// How long the service may take to accept a subscription.
    pub(crate) timeout: Duration,
    /// The failures in a row after which reading fails; with [`ConsumerChoice::Auto`], the shards are polled then.
    pub(crate) max_retries: u32,
}

/// Reads one shard by subscriptions.
#[derive(Debug)]
pub(crate) struct SubscribedPages {
    context: Arc<StreamContext>,
    shard: ShardId,
    settings: SubscribedSettings,
    /// Set if the query chooses between polling and subscriptions.
    auto: Option<AutoShard>,
    /// Has the position and the proof, also while a subscription is open.
    polling: PollingPages,
    reading: Reading,
    schedule: SubscribeSchedule,
    /// Where the next subscription begins, if it is behind the position.
    continuation: Option<SequenceNumber>,
    /// Whether a page was polled after the last subscription, which was refused as unknown.
    was_polled: bool,
    /// Whether the last event had no records, and claimed that the shard has ended, but named no children.
    claimed_end: bool,
}

#[derive(Debug)]
enum Reading {
    /// The next page must be polled.
    Polling,
    /// The query does not subscribe at present.
    Unsubscribed,
    /// The next page needs a subscription.
    Waiting,
    Open(OpenSubscription),
    /// Nobody wants a page at present.
    Parked(ParkedSubscription),
}

/// A subscription whose events are read.
#[derive(Debug)]
struct OpenSubscription {
    /// Never locked, because it is only used by its owner; a subscription need not be `Sync`, but tasks must.
    events: Mutex<Box<dyn Subscription>>,
    /// The next event is sent after this time.
    pushed_after: UnixMillis,
}

impl PageSource for SubscribedPages {
    async fn ready(&mut self) {
        if let Reading::Parked(parked) = &mut self.reading {
            self.reading = match parked.take() {
                Some(open) => Reading::Open(open),
                None => Reading::Waiting,
            };
        }
        match self.reading {
            Reading::Polling => self.polling.ready().await,
            Reading::Unsubscribed if !self.settings.consumer.is_subscribed() => {
                self.polling.ready().await;
            }
            Reading::Waiting | Reading::Unsubscribed => {
                if let Some(earliest) = self.schedule.earliest() {
                    tokio::time::sleep_until(earliest).await;
                }
            }
            Reading::Open(_) | Reading::Parked(_) => {}
        }
    }

    async fn next_page(&mut self, request: PageRequest) -> Result<Option<ShardPage>, PageError> {
        let is_subscribed = self.settings.consumer.is_subscribed();
        match self.reading {
            Reading::Polling => self.polled(request).await,
            _ if !is_subscribed => {
                self.reading = Reading::Unsubscribed;
                self.polled(request).await
            }
            Reading::Open(_) => self.event().await,
            Reading::Waiting | Reading::Parked(_) | Reading::Unsubscribed => self.subscribe().await,
        }
    }

    fn pause(&mut self) {
        self.polling.pause();
        if let Some(auto) = &mut self.auto {
            auto.paused();
        }
        if let Reading::Open(_) = self.reading
            && let Reading::Open(open) = std::mem::replace(&mut self.reading, Reading::Waiting)
        {
            self.reading = Reading::Parked(ParkedSubscription::new(open));
        }
    }

    fn position(&self) -> &ShardPosition {
        self.polling.position()
    }
}

impl SubscribedPages {
    /// A source that starts at the position of `polling`.
    pub(crate) fn new(
        context: Arc<StreamContext>,
        shard: ShardId,
        polling: PollingPages,
        settings: SubscribedSettings,
    ) -> Self {
        let auto = match &settings.consumer {
            ConsumerChoice::Always(_) => None,
            ConsumerChoice::Auto(consumer) => Some(AutoShard::new(consumer, shard.clone())),
        };
        Self {
            context,
            shard,
            settings,
            auto,
            polling,
            reading: Reading::Polling,
            schedule: SubscribeSchedule::default(),
            continuation: None,
            was_polled: false,
            claimed_end: false,
        }
    }

    async fn polled(&mut self, request: PageRequest) -> Result<Option<ShardPage>, PageError> {
        let page = self.polling.next_page(request).await;
        if let Some(auto) = &mut self.auto {
            auto.polled(&page);
        }
        if let Ok(Some(_)) = page {
            self.reading = match self.settings.consumer.is_subscribed() {
                true => Reading::Waiting,
                false => Reading::Unsubscribed,
            };
            self.continuation = None;
        }
        page
    }

    /// Subscribes at the position; gives no page.
    async fn subscribe(&mut self) -> Result<Option<ShardPage>, PageError> {
        self.reading = Reading::Waiting;
        if self.polling.needs_proof() {
            self.reading = Reading::Polling;
            return Ok(None);
        }
        let kinesis = Arc::clone(&self.context.kinesis);
        let (Some(fan_out), Some(consumer)) = (kinesis.fan_out(), self.settings.consumer.current())
        else {
            self.reading = Reading::Unsubscribed;
            return Ok(None);
        };
        let position = match &self.continuation {
            Some(continuation) => IteratorPosition::After(continuation.clone()),
            None => iterator_position(self.polling.position()),
        };
        let arn = consumer.arn();
        // The proof needs both, whatever the query reads.
        let columns = RecordColumns::ALL;
        let sent_at = self.context.clock.now();
        self.schedule.called(Instant::now());
        let call = fan_out.subscribe_to_shard(&arn, &self.shard, &position, columns);
        let accepted = match tokio::time::timeout(self.settings.timeout, call).await {
            Ok(accepted) => accepted,
            Err(_) => {
                let seconds = self.settings.timeout.as_secs();
                let message = format!(
                    "the service did not accept the subscription within {seconds} s \
                     ('kinesis.subscribeToShard.timeoutSec')"
                );
                Err(error(ApiErrorKind::Unavailable, "Timeout", message))
            }
        };
        match accepted {
            Ok(events) => {
                self.schedule.accepted(Instant::now());
                self.was_polled = false;
                tracing::debug!(shard = %self.shard, ?position, "subscribed");
                self.reading = Reading::Open(OpenSubscription {
                    events: Mutex::new(events),
                    pushed_after: sent_at,
                });
                Ok(None)
            }
            Err(error)
                if error.kind() == ApiErrorKind::InvalidArgument
                    && self.continuation.take().is_some() =>
            {
                // The position, which is that of a record or the start, decides.
                tracing::debug!(shard = %self.shard, %error, "a continuation is refused");
                Ok(None)
            }
            Err(error) if error.kind() == ApiErrorKind::NotFound => {
                self.unknown(&consumer, &arn, error).await
            }
            Err(error) => self.refused(error),
        }
    }

    /// The page in the next event.
    async fn event(&mut self) -> Result<Option<ShardPage>, PageError> {
        let Reading::Open(open) = &mut self.reading else {
            return Ok(None);
        };
        let (waits_from, time) = (Instant::now(), self.context.clock.now());
        let events = open.events.get_mut();
        let events = events.unwrap_or_else(PoisonError::into_inner);
        let next = tokio::time::timeout(LONGEST_SILENCE, events.next()).await;
        match next {
            Ok(Some(Ok(event))) => {
                if self.polling.needs_proof() {
                    // The service skips records that expire while a subscription lags behind, and does not say so.
                    self.reading = Reading::Polling;
                    return Ok(None);
                }
                if waits_from.elapsed() >= TELLING_SILENCE {
                    open.pushed_after = open.pushed_after.max(time.minus(ON_THE_WAY));
                }
                let pushed_after = open.pushed_after;
                Ok(Some(self.accept(event, pushed_after)))
            }
            Ok(Some(Err(error))) => {
                self.reading = Reading::Waiting;
                if error.kind() == ApiErrorKind::ResourceInUse
                    && let Some(consumer) = self.settings.consumer.current()
                {
                    consumer.taken_over();
                }
                self.refused(error)
            }
            Ok(None) => {
                tracing::debug!(shard = %self.shard, "the subscription has ended");
                self.reading = Reading::Waiting;
                Ok(None)
            }
            Err(_) => {
                self.reading = Reading::Waiting;
                let seconds = LONGEST_SILENCE.as_secs();
                let message = format!("the subscription was silent for {seconds} s");
                self.refused(error(ApiErrorKind::Unavailable, "Timeout", message))
            }
        }
    }

    fn accept(&mut self, event: SubscriptionEvent, pushed_after: UnixMillis) -> ShardPage {
        self.schedule.reset_failures();
        let is_empty = event.page.is_empty();
        match &event.continuation {
            Some(continuation) => {
                self.continuation = Some(continuation.clone());
                self.claimed_end = false;
            }
            None if event.page.children.is_empty() => {
                // It claims that the shard has ended, but names no children: ask again. If the answer is the same, a
                // polled page shows whether it has.
                let claimed_before = std::mem::replace(&mut self.claimed_end, is_empty);
                self.reading = match is_empty && claimed_before {
                    true => Reading::Polling,
                    false => Reading::Waiting,
                };
                if !is_empty {
                    self.continuation = None;
                }
            }
            None => {}
        }
        let page = self.polling.accept_event(event, pushed_after);
        if let Some(auto) = &self.auto {
            auto.pushed(&page);
        }
        page
    }
}
