//! The consumer of a query that chooses between polling and enhanced fan-out (`kinesis.consumerType` = `auto`).
//!
//! Shards report what they see, [`policy`] decides for the stream, and one task registers and deregisters the consumer,
//! so that no shard waits for that. Enhanced fan-out is only ever an improvement: if it fails, the query polls on.

mod cost;
mod policy;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use self::cost::Traffic;
use self::policy::{AutoPolicy, Mode, PollObserver, SwitchReason};
use super::StreamConsumer;
use crate::kinesis::limits::FETCHES_PER_SECOND;
use crate::kinesis::{ApiError, ApiErrorKind};
use crate::model::{ConsumerLifecycle, ConsumerName, ShardId, format_duration};
use crate::options::{FanOutOptions, PriceList};
use crate::source::context::StreamContext;
use crate::source::pages::{PageError, ShardPage};

/// How long the end of a query waits for a registration in progress, so that the consumer can be deregistered.
const ENDING_TIMEOUT: Duration = Duration::from_secs(30);

/// The consumer of a stream while there is a reason for it. Dropping it ends its task.
#[derive(Debug)]
pub(crate) struct AutoConsumer {
    shared: Arc<Shared>,
    task: tokio::sync::Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    context: StreamContext,
    stream_arn: Arc<str>,
    options: FanOutOptions,
    /// The id of the query, if the next run has the same one.
    query: Option<Arc<str>>,
    max_lag: Duration,
    prices: Arc<PriceList>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    policy: AutoPolicy,
    /// Why the stream is subscribed to.
    reason: Option<SwitchReason>,
    /// The consumer, from its registration until it is given up.
    consumer: Option<Arc<StreamConsumer>>,
    /// How many shards are read.
    shards: usize,
    traffic: Traffic,
    is_ending: bool,
}

/// What the task does next.
enum Step {
    Register(Option<SwitchReason>),
    GiveUp(Arc<StreamConsumer>),
    Wait,
    Return,
}

impl AutoConsumer {
    /// Begins with polling. `query` is the id of the query, unless it ends with this run. `max_lag` is the lag of a
    /// shard from which on it is subscribed to. Log messages estimate costs by `prices`.
    pub(crate) fn start(
        context: StreamContext,
        stream_arn: Arc<str>,
        options: FanOutOptions,
        query: Option<Arc<str>>,
        max_lag: Duration,
        prices: Arc<PriceList>,
        random: fastrand::Rng,
    ) -> Self {
        let state = State {
            policy: AutoPolicy::new(max_lag, Instant::now()),
            reason: None,
            consumer: None,
            shards: 0,
            traffic: Traffic::default(),
            is_ending: false,
        };
        let shared = Arc::new(Shared {
            context,
            stream_arn,
            options,
            query,
            max_lag,
            prices,
            state: Mutex::new(state),
            changed: Notify::new(),
        });
        let mut task = JoinSet::new();
        task.spawn(Arc::clone(&shared).run(random).in_current_span());
        Self {
            shared,
            task: tokio::sync::Mutex::new(task),
        }
    }

    /// The name of the consumer.
    pub(super) fn name(&self) -> &ConsumerName {
        &self.shared.options.consumer
    }

    /// The consumer; `None` while the stream is polled.
    pub(super) fn current(&self) -> Option<Arc<StreamConsumer>> {
        let state = self.shared.lock();
        let is_subscribed = state.policy.mode() == Mode::Subscribed;
        state.consumer.clone().filter(|_| is_subscribed)
    }

    /// Gives up the consumer, because the stream may be another one.
    pub(super) fn poll_again(&self) {
        self.shared.change(|state| state.policy.reset());
    }

    /// Whether the end of the query may deregister a consumer.
    pub(super) fn is_managed(&self) -> bool {
        self.shared.options.lifecycle == ConsumerLifecycle::Managed
    }

    /// Deregisters the consumer if this query has registered it and may.
    pub(super) async fn end(&self) {
        self.shared.change(|state| state.is_ending = true);
        let mut task = self.task.lock().await;
        let ended = tokio::time::timeout(ENDING_TIMEOUT, task.join_next());
        if ended.await.is_err() {
            task.abort_all();
            tracing::warn!(
                consumer = %self.shared.options.consumer,
                "the query ended while its consumer was being registered: the consumer may stay and cost money"
            );
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes the task.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_one();
        result
    }

    /// Registers and deregisters the consumer, as the state demands.
    async fn run(self: Arc<Self>, mut random: fastrand::Rng) {
        self.end_left_over(random.fork()).await;
        loop {
            let step = self.lock().next_step();
            match step {
                Step::Register(reason) => self.register(reason, random.fork()).await,
                Step::GiveUp(consumer) => consumer.end(random.fork()).await,
                Step::Wait => self.changed.notified().await,
                Step::Return => return,
            }
        }
    }

    /// Deregisters the consumer that an earlier run of this query has left behind.
    async fn end_left_over(&self, random: fastrand::Rng) {
        let (arn, query) = (Arc::clone(&self.stream_arn), self.query.clone());
        if self.options.lifecycle != ConsumerLifecycle::Managed || query.is_none() {
            return;
        }
        let found = StreamConsumer::find(&self.context, arn, &self.options, query);
        if let Some(consumer) = found.await {
            consumer.end(random).await;
        }
    }

    async fn register(&self, reason: Option<SwitchReason>, random: fastrand::Rng) {
        let arn = Arc::clone(&self.stream_arn);
        let query = self.query.clone();
        let started = StreamConsumer::start(&self.context, arn, &self.options, query, random).await;
        let (stream, consumer) = (self.context.stream_name(), &self.options.consumer);
        match started {
            Ok(started) => {
                let cost = {
                    let mut state = self.lock();
                    let now = Instant::now();
                    state.consumer = Some(Arc::new(started));
                    state.policy.registered(now);
                    state.traffic.cost(state.shards, now, &self.prices)
                };
                if let Some(reason) = reason {
                    tracing::info!(%stream, %consumer, "subscribing to the shards: {reason}; this {cost}");
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Polls on, because enhanced fan-out does not work.
    fn failed(&self, error: &dyn fmt::Display) {
        if self.change(|state| state.policy.failed(Instant::now())) {
            let (stream, consumer) = (self.context.stream_name(), &self.options.consumer);
            tracing::warn!(%stream, %consumer, "cannot use enhanced fan-out, polling on: {error}");
        }
    }

    fn wants_fan_out(&self, reason: impl FnOnce() -> SwitchReason) {
        self.change(|state| {
            if state.policy.wants_fan_out(Instant::now()) {
                state.reason = Some(reason());
            }
        });
    }

    /// An event has arrived, whose end is `lag` behind the tip.
    fn pushed(&self, lag: Duration, bytes: usize) {
        let now = Instant::now();
        let (is_over, hold, cost) = {
            let mut state = self.lock();
            state.traffic.add(bytes, now);
            let is_over = state.policy.pushed(lag, now);
            let cost = is_over.then(|| state.traffic.cost(state.shards, now, &self.prices));
            (is_over, state.policy.hold(), cost)
        };
        let Some(cost) = cost.filter(|_| is_over) else {
            return;
        };
        self.changed.notify_one();
        let (stream, consumer) = (self.context.stream_name(), &self.options.consumer);
        let charges = match self.options.lifecycle {
            ConsumerLifecycle::Managed => "",
            ConsumerLifecycle::Reuse | ConsumerLifecycle::External => {
                "; the consumer stays registered, and its charges by the hour go on"
            }
        };
        tracing::info!(
            %stream, %consumer,
            "polling again: no shard was further behind than half of 'kinesis.auto.maxLag' = {} for {}; \
             enhanced fan-out {cost}{charges}",
            format_duration(self.max_lag), format_duration(hold)
        );
    }
}

impl State {
    fn next_step(&mut self) -> Step {
        let is_subscribed = self.policy.mode() == Mode::Subscribed && !self.is_ending;
        match self.policy.mode() {
            _ if !is_subscribed && self.consumer.is_some() => match self.consumer.take() {
                Some(consumer) => Step::GiveUp(consumer),
                None => Step::Wait,
            },
            _ if self.is_ending => Step::Return,
            Mode::Registering => Step::Register(self.reason.take()),
            Mode::Polling | Mode::Subscribed => Step::Wait,
        }
    }
}

/// One shard of a stream that is polled or subscribed to.
#[derive(Debug)]
pub(super) struct AutoShard {
    shared: Arc<Shared>,
    shard: ShardId,
    observer: PollObserver,
    /// Whether the query polls no faster than the service allows, so that throttles have another cause.
    keeps_limits: bool,
}

impl AutoShard {
    pub(super) fn new(consumer: &AutoConsumer, shard: ShardId) -> Self {
        let shared = Arc::clone(&consumer.shared);
        shared.lock().shards += 1;
        let interval = shared.context.options.fetch_interval;
        Self {
            shard,
            observer: PollObserver::default(),
            keeps_limits: interval >= Duration::from_secs(1) / FETCHES_PER_SECOND,
            shared,
        }
    }

    /// A page was polled, or could not be.
    pub(super) fn polled(&mut self, page: &Result<Option<ShardPage>, PageError>) {
        let now = Instant::now();
        let is_throttled = match page {
            Ok(Some(page)) => {
                self.page_arrived(page, now);
                false
            }
            Ok(None) => return,
            Err(PageError { error, .. }) => is_over_limit(error),
        };
        let counts = self.observer.called(is_throttled, now);
        if let Some((throttled, calls)) = counts.filter(|_| self.keeps_limits) {
            self.shared.wants_fan_out(|| SwitchReason::OtherReaders {
                shard: self.shard.clone(),
                throttled,
                calls,
            });
        }
    }

    fn page_arrived(&mut self, page: &ShardPage, now: Instant) {
        let bytes = page.records.size_bytes();
        self.shared.lock().traffic.add(bytes, now);
        let max_lag = self.shared.max_lag;
        let lag = page.records.behind_latest.unwrap_or_default();
        if self.observer.lags(lag, max_lag, now) {
            self.shared.wants_fan_out(|| SwitchReason::Lag {
                shard: self.shard.clone(),
                lag,
                max_lag,
            });
        }
    }

    /// An event has arrived.
    pub(super) fn pushed(&self, page: &ShardPage) {
        let lag = page.records.behind_latest.unwrap_or_default();
        self.shared.pushed(lag, page.records.size_bytes());
    }

    /// The query does not want a page at present.
    pub(super) fn paused(&mut self) {
        self.observer.paused();
    }

    /// The shard cannot be subscribed to.
    pub(super) fn failed(&self, error: &ApiError) {
        let shard = &self.shard;
        self.shared
            .failed(&format_args!("shard '{shard}': {error}"));
    }
}

impl Drop for AutoShard {
    fn drop(&mut self) {
        self.shared.lock().shards -= 1;
    }
}

/// Whether the limits of the shard, which all its readers share, were exceeded; other calls are throttled for other
/// reasons.
fn is_over_limit(error: &ApiError) -> bool {
    error.kind() == ApiErrorKind::Throttled
        && error.code() == "ProvisionedThroughputExceededException"
}
