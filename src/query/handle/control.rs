//! What a running query and its handles share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::datatypes::SchemaRef;
use tokio::sync::{Notify, oneshot, watch};

use crate::error::{Error, ErrorKind, Result};
use crate::model::UnixMillis;
use crate::query::events::progress::{StreamingQueryProgress, data_losses};
use crate::query::status::{QueryEnd, QueryStatus};

/// How many progress events a handle keeps.
const KEPT_PROGRESS: usize = 100;

/// Shard positions that the kept events hold together; the newest is kept whatever it holds.
const KEPT_POSITIONS: usize = 300_000;

/// What the handle wants of the query; a later wish is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::query) enum Wish {
    /// To go on.
    Run,
    /// To end behind the batch in flight.
    Stop,
    /// To end at once, as a crash would.
    Abandon,
}

/// Somebody who waits for all that arrived before a moment to be committed.
#[derive(Debug)]
struct CatchUp {
    before: UnixMillis,
    done: oneshot::Sender<()>,
}

/// What a running query and its handles share.
#[derive(Debug)]
pub(in crate::query) struct Shared {
    pub(in crate::query) id: String,
    pub(in crate::query) run_id: String,
    pub(in crate::query) name: Option<String>,
    pub(in crate::query) schema: SchemaRef,
    status: Mutex<QueryStatus>,
    /// Losses of data since the start.
    losses: AtomicU64,
    recent: Mutex<VecDeque<Arc<StreamingQueryProgress>>>,
    wish: watch::Sender<Wish>,
    ended: watch::Sender<Option<Result<QueryEnd, Arc<Error>>>>,
    catch_ups: Mutex<Vec<CatchUp>>,
    asked: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(in crate::query) fn new(
        id: String,
        run_id: String,
        name: Option<String>,
        schema: SchemaRef,
    ) -> Self {
        Self {
            id,
            run_id,
            name,
            schema,
            status: Mutex::new(QueryStatus {
                message: "Starting".to_owned(),
                is_data_available: false,
                is_trigger_active: false,
            }),
            losses: AtomicU64::new(0),
            recent: Mutex::default(),
            wish: watch::Sender::new(Wish::Run),
            ended: watch::Sender::new(None),
            catch_ups: Mutex::default(),
            asked: Notify::new(),
        }
    }

    pub(in crate::query) fn status(&self) -> QueryStatus {
        lock(&self.status).clone()
    }

    /// What the query does from now on; the message tells of losses of data, too.
    pub(in crate::query) fn set_status(
        &self,
        message: impl Into<String>,
        data: bool,
        active: bool,
    ) {
        let mut message = message.into();
        match self.losses() {
            0 => {}
            losses => message = format!("{message} ({})", data_losses(losses)),
        }
        *lock(&self.status) = QueryStatus {
            message,
            is_data_available: data,
            is_trigger_active: active,
        };
    }

    /// How often data was lost since the start, for the statuses to come.
    pub(in crate::query) fn set_losses(&self, losses: u64) {
        self.losses.store(losses, Ordering::Relaxed);
    }

    /// How often data was lost since the start.
    pub(in crate::query) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    pub(in crate::query) fn recent(&self) -> Vec<Arc<StreamingQueryProgress>> {
        lock(&self.recent).iter().map(Arc::clone).collect()
    }

    pub(in crate::query) fn last(&self) -> Option<Arc<StreamingQueryProgress>> {
        lock(&self.recent).back().map(Arc::clone)
    }

    pub(in crate::query) fn push(&self, progress: Arc<StreamingQueryProgress>) {
        let mut recent = lock(&self.recent);
        recent.push_back(progress);
        let mut positions: usize = recent.iter().map(|progress| progress.positions()).sum();
        while recent.len() > KEPT_PROGRESS || (recent.len() > 1 && positions > KEPT_POSITIONS) {
            let oldest = recent.pop_front();
            positions -= oldest.map_or(0, |oldest| oldest.positions());
        }
    }

    /// Asks for the end; what was asked before is never taken back.
    pub(in crate::query) fn wish(&self, wish: Wish) {
        self.wish.send_if_modified(|current| {
            let stronger = wish > *current;
            *current = wish.max(*current);
            stronger
        });
    }

    pub(in crate::query) fn is_stopping(&self) -> bool {
        *self.wish.borrow() >= Wish::Stop
    }

    /// Resolves once the handle wants at least this much.
    pub(in crate::query) async fn wished(&self, wish: Wish) {
        let mut wishes = self.wish.subscribe();
        // The sender lives as long as `self`, so this cannot fail.
        let _ = wishes.wait_for(|current| *current >= wish).await;
    }

    /// Makes the result known; the first one counts.
    pub(in crate::query) fn end(&self, result: Result<QueryEnd, Arc<Error>>) {
        let message = match &result {
            Ok(_) => "Stopped".to_owned(),
            Err(error) => format!("Terminated with an error: {error}"),
        };
        self.set_status(message, false, false);
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some(result);
            }
            first
        });
        lock(&self.catch_ups).clear();
    }

    /// The result, if there is one yet.
    pub(in crate::query) fn result(&self) -> Option<Result<QueryEnd, Arc<Error>>> {
        self.ended.borrow().clone()
    }

    /// Waits for the result.
    pub(in crate::query) async fn ended(&self) -> Result<()> {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(result) => match &*result {
                Some(Err(error)) => Err(Error::clone(error)),
                _ => Ok(()),
            },
            Err(_) => Err(Error::internal("the end of a query was never made known")),
        }
    }

    /// Waits until all that arrived before `time` is committed.
    pub(in crate::query) async fn caught_up(&self, time: UnixMillis) -> Result<()> {
        let (done, waiting) = oneshot::channel();
        lock(&self.catch_ups).push(CatchUp { before: time, done });
        if self.result().is_some() {
            lock(&self.catch_ups).clear();
        }
        self.asked.notify_one();
        if waiting.await.is_ok() {
            return Ok(());
        }
        self.ended().await?;
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("{self} ended before all that was available was processed: start it again"),
        ))
    }

    /// Resolves when somebody has begun to wait for the query to catch up.
    pub(in crate::query) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Tells those for whom `caught_up` holds; whether somebody is left.
    pub(in crate::query) fn answer(&self, caught_up: impl Fn(UnixMillis) -> bool) -> bool {
        let mut waiting = lock(&self.catch_ups);
        for catch_up in waiting.extract_if(.., |waiting| caught_up(waiting.before)) {
            // Who does not wait any more need not be told.
            let _ = catch_up.done.send(());
        }
        !waiting.is_empty()
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "query '{name}'"),
            None => write!(f, "query {}", self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::events::progress::tests::of_shards;
    use datafusion::arrow::datatypes::Schema;

    #[test]
    fn what_is_kept_is_bounded_by_events_and_by_shards() {
        let schema = Arc::new(Schema::empty());
        let shared = Shared::new("id".to_owned(), "run".to_owned(), None, schema);
        let kept = |shards: &[usize]| {
            for shards in shards {
                shared.push(Arc::new(of_shards(*shards)));
            }
            shared.recent().len()
        };
        assert_eq!(kept(&[1; 99]), 99);
        assert_eq!(kept(&[1; 50]), 100);
        assert_eq!(kept(&[10_000; 40]), 30);
        assert_eq!(kept(&[200_000]), 11);
        assert_eq!(kept(&[400_000]), 1, "the newest stays");
        assert_eq!(kept(&[1]), 1);
    }
}
