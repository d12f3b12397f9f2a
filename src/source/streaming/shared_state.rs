//! What the tasks of a stream reader share.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::settings::StreamReaderSettings;
use super::state::{Rules, State};
use crate::error::Error;
use crate::kinesis::RecordColumns;
use crate::model::{Offsets, Shard, ShardId, ShardPosition, UnixMillis};
use crate::source::buffer::Budget;
use crate::source::buffer::Caps;
use crate::source::context::ReadContext;
use crate::source::retention::Past;

/// Rows of one shard in a batch, where `kinesis.maxFetchRecordsPerShard` does not say otherwise.
const ROWS_PER_SHARD: u64 = 100_000;

/// The state of a stream reader, and what its tasks wait for.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) context: Arc<ReadContext>,
    pub(crate) settings: StreamReaderSettings,
    state: Mutex<State>,
    changed: Notify,
    room: Notify,
    /// Somebody cannot go on before the shards have been listed.
    listing: Notify,
    starts: mpsc::UnboundedSender<ShardId>,
    /// A moment by the clock, and by one that is never set.
    began: (UnixMillis, Instant),
}

impl Shared {
    pub(crate) fn new(
        context: Arc<ReadContext>,
        settings: StreamReaderSettings,
        starts: mpsc::UnboundedSender<ShardId>,
    ) -> Self {
        let options = &context.options;
        let caps = Caps {
            rows_per_shard: options.max_records_per_shard.unwrap_or(ROWS_PER_SHARD),
            bytes: options.max_batch_bytes,
        };
        let rules = Rules {
            caps: if settings.caps { caps } else { Caps::NONE },
            capped: settings.caps,
            max_fetch_time: options.max_fetch_time_per_shard,
            budget: Budget::of(options.buffer_max_bytes),
            frozen: settings.until.is_some(),
            hash_filter: options.hash_filter,
            distribution: settings.distribution,
            fail_on_data_loss: options.fail_on_data_loss,
            track_activity: settings.track_activity,
        };
        let now = context.clock.now();
        let now = settings.until.map_or(now, |until| now.max(until));
        Self {
            state: Mutex::new(State::new(rules)),
            changed: Notify::new(),
            room: Notify::new(),
            listing: Notify::new(),
            starts,
            began: (now, Instant::now()),
            context,
            settings,
        }
    }

    /// Tracks the shards of `offsets`, with what is known before each place, and starts those that may
    /// be read.
    pub(crate) fn begin(
        &self,
        offsets: Offsets,
        past: impl Fn(&ShardPosition) -> Past,
        listed: &[Shard],
    ) {
        // The first record may have come in the millisecond the stream was made in.
        let before = self.settings.created_at.minus(Duration::from_millis(1));
        self.with(|state| {
            let mut shards = listed.iter().peekable();
            for (id, position) in offsets {
                while shards.next_if(|shard| shard.id < id).is_some() {}
                let shard = shards.next_if(|shard| shard.id == id);
                let past = past(&position).not_before(before);
                state.track(id, position, past, shard);
            }
        });
        self.listed(listed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state or changes it, and tells those who wait for changes.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
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

    pub(crate) async fn changed(&self) {
        loop {
            let mut notified = pin!(self.changed.notified());
            notified.as_mut().enable();
            if self.lock().is_changed() {
                return;
            }
            notified.await;
        }
    }

    /// Has readers made for `shards`.
    pub(crate) fn start(&self, shards: Vec<ShardId>) {
        for shard in shards {
            // It fails only once the supervisor is gone, and with it all readers.
            let _ = self.starts.send(shard);
        }
    }

    /// Ends the query.
    pub(crate) fn fail(&self, error: Error) {
        self.with(|state| state.fail(error));
    }

    /// Waits until there may be room in the buffers; `denied` says whether there is none.
    pub(crate) async fn room(&self, mut denied: impl FnMut() -> bool) {
        let mut notified = pin!(self.room.notified());
        notified.as_mut().enable();
        if denied() {
            notified.await;
        }
    }

    pub(crate) fn make_room(&self) {
        self.room.notify_waiters();
    }

    /// A shard the service does not know: it is to be listed, or given up.
    pub(crate) fn missing(&self, shard: &ShardId) {
        self.with(|state| state.missing(shard));
        self.want_listing();
    }

    /// Has the shards listed soon; gives how often they were so far.
    pub(crate) fn want_listing(&self) -> u64 {
        self.listing.notify_one();
        self.with(|state| state.listings)
    }

    pub(crate) async fn listing_wanted(&self) {
        self.listing.notified().await;
    }

    /// When a request that is sent now looks at the shard, as far as the tip is concerned: a frozen one
    /// must come nearer even if the clock is set back.
    pub(crate) fn now(&self) -> UnixMillis {
        match self.settings.until {
            None => self.context.clock.now(),
            Some(_) => self.began.0.plus(self.began.1.elapsed()),
        }
    }

    /// What pages must hold.
    pub(crate) fn columns(&self) -> RecordColumns {
        let columns = self.settings.columns;
        RecordColumns {
            sequence_number: true,
            arrival: columns.arrival
                || self.settings.until.is_some()
                || self.settings.track_activity,
            ..columns
        }
    }
}
