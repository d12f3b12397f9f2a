//! The state of a stream reader behind a lock, and the notifications that its tasks wait for.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use datafusion::physical_plan::metrics::Count;
use tokio::sync::{Notify, mpsc};

use super::settings::StreamReaderSettings;
use super::state::{ReaderStatus, StateConfig, StreamState};
use crate::error::Error;
use crate::kinesis::RecordColumns;
use crate::model::{LatencyCounter, Offsets, Shard, ShardId, ShardPosition, UnixMillis};
use crate::options::ConsumerType;
use crate::source::buffer::{Budget, Caps};
use crate::source::context::StreamContext;
use crate::source::request::RequestClock;
use crate::source::retention::ReadHistory;

/// The default of `kinesis.maxFetchRecordsPerShard`.
const DEFAULT_ROWS_PER_SHARD: u64 = 100_000;

/// The state of a stream reader, shared by its tasks. The lock is held briefly and never across an await.
#[derive(Debug)]
pub(super) struct SharedState {
    pub(super) context: Arc<StreamContext>,
    pub(super) settings: StreamReaderSettings,
    /// Gives the time of requests.
    pub(super) clock: RequestClock,
    /// How long GetRecords took.
    pub(super) latency: Arc<LatencyCounter>,
    /// Counts expired iterators.
    pub(super) renewals: Count,
    state: Mutex<StreamState>,
    changed: Notify,
    room: Notify,
    listing_wanted: Notify,
    starts: mpsc::UnboundedSender<ShardId>,
}

impl SharedState {
    pub(super) fn new(
        context: Arc<StreamContext>,
        settings: StreamReaderSettings,
        starts: mpsc::UnboundedSender<ShardId>,
    ) -> Self {
        let options = &context.options;
        let caps = Caps {
            rows_per_shard: options
                .max_records_per_shard
                .unwrap_or(DEFAULT_ROWS_PER_SHARD),
            bytes: options.max_batch_bytes,
        };
        let config = StateConfig {
            caps: if settings.caps { caps } else { Caps::NONE },
            is_capped: settings.caps,
            max_fetch_time: options.max_fetch_time_per_shard,
            budget: Budget::of(options.buffer_max_bytes),
            is_tip_frozen: settings.until.is_some(),
            hash_filter: options.hash_filter,
            distribution: settings.distribution,
            fail_on_data_loss: options.fail_on_data_loss,
            track_activity: settings.track_activity,
        };
        let clock = match settings.until {
            None => RequestClock::Wall(Arc::clone(&context.clock)),
            Some(until) => RequestClock::steady(context.clock.now().max(until)),
        };
        Self {
            clock,
            latency: Arc::default(),
            renewals: Count::new(),
            state: Mutex::new(StreamState::new(config)),
            changed: Notify::new(),
            room: Notify::new(),
            listing_wanted: Notify::new(),
            starts,
            context,
            settings,
        }
    }

    /// Tracks the shards of `offsets`, each with the history of its position, and starts those that may be
    /// read.
    pub(super) fn begin(
        &self,
        offsets: Offsets,
        history: impl Fn(&ShardPosition) -> ReadHistory,
        listed: &[Shard],
    ) {
        // The first record may have arrived in the millisecond in which the stream was created.
        let before = self.settings.created_at.minus(Duration::from_millis(1));
        self.with(|state| {
            let mut shards = listed.iter().peekable();
            for (id, position) in offsets {
                while shards.next_if(|shard| shard.id < id).is_some() {}
                let shard = shards.next_if(|shard| shard.id == id);
                let history = history(&position).with_no_records_before(before);
                state.track(id, position, history, shard);
            }
        });
        self.listed(listed);
    }

    fn lock(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes the state, and wakes the tasks that wait for changes.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut StreamState) -> T) -> T {
        let (result, changed) = {
            let mut state = self.lock();
            let before = state.version;
            let result = change(&mut state);
            (result, state.version != before)
        };
        if changed {
            self.changed.notify_waiters();
        }
        result
    }

    /// Waits for a change since the last check of the readiness.
    pub(super) async fn changed(&self) {
        loop {
            let mut notified = pin!(self.changed.notified());
            notified.as_mut().enable();
            if self.lock().is_changed() {
                return;
            }
            notified.await;
        }
    }

    /// Requests readers for `shards`.
    pub(super) fn start(&self, shards: Vec<ShardId>) {
        for shard in shards {
            // Fails only if the supervisor has ended, and all readers with it.
            let _ = self.starts.send(shard);
        }
    }

    /// Ends the query.
    pub(super) fn fail(&self, error: Error) {
        self.with(|state| state.fail(error));
    }

    /// Waits until there may be room in the buffers. `is_denied` checks whether there is still none.
    pub(super) async fn room(&self, mut is_denied: impl FnMut() -> bool) {
        let mut notified = pin!(self.room.notified());
        notified.as_mut().enable();
        if is_denied() {
            notified.await;
        }
    }

    /// Wakes readers that wait for room in the buffers.
    pub(super) fn notify_room(&self) {
        self.room.notify_waiters();
    }

    /// Handles a shard that the service does not know: requests a listing, which decides whether it is
    /// lost.
    pub(super) fn missing(&self, shard: &ShardId) {
        self.with(|state| state.missing(shard));
        self.request_listing();
    }

    /// Requests a listing of the shards; returns how many there have been so far.
    pub(super) fn request_listing(&self) -> u64 {
        self.listing_wanted.notify_one();
        self.with(|state| state.listings)
    }

    pub(super) async fn listing_requested(&self) {
        self.listing_wanted.notified().await;
    }

    /// The status of the readers.
    pub(super) fn status(&self) -> ReaderStatus {
        let now = self.now();
        let renewals = self.renewals.value() as u64;
        let subscribed = self.settings.subscribed.as_ref();
        let consumer_type = match subscribed {
            Some(settings) if settings.consumer.is_subscribed() => ConsumerType::SubscribeToShard,
            _ => ConsumerType::GetRecords,
        };
        let latency = self.latency.snapshot();
        self.with(|state| state.status(now, renewals, consumer_type, latency))
    }

    /// The columns that pages must have.
    pub(super) fn page_columns(&self) -> RecordColumns {
        RecordColumns {
            sequence_number: true,
            // Arrivals end reads at a frozen tip, say which shards are active, and give the ages of records.
            arrival: true,
            ..self.settings.columns
        }
    }

    /// The present time on the request clock.
    pub(super) fn now(&self) -> UnixMillis {
        self.clock.now()
    }
}
