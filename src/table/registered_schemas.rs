//! The schemas of a registry, looked up once for all partitions and batches of a table.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};

use crate::error::Result;
use crate::format::AvroSchema;
use crate::kinesis::Backoff;
use crate::model::{Clock, RetryPolicy, SchemaId, UnixMillis};
use crate::schema_registry::{RegisteredSchema, SchemaRegistry};

/// How long an id that the registry does not have is not asked for again. Another replica of the registry may
/// have it by then.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

/// The most ids that are remembered. Streams have a few; only bytes that are no header give more.
const MAX_IDS: usize = 10_000;

/// How long a streaming query may wait for a schema before a stop no longer waits for it.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// A registry, and the schemas that it gave.
#[derive(Debug)]
pub(crate) struct RegisteredSchemas {
    registry: SchemaRegistry,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<SchemaId, Arc<OnceCell<Known>>>>,
    /// How many partitions of streaming queries wait for a schema.
    waiting: watch::Sender<usize>,
}

/// A partition that waits for a schema, until it is dropped.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

/// What is known about an id.
#[derive(Debug)]
enum Known {
    Schema(Arc<AvroSchema>),
    /// Documents that name it cannot be decoded for this reason, as found at this time.
    NoSchema(String, UnixMillis),
}

impl RegisteredSchemas {
    pub(crate) fn new(
        registry: SchemaRegistry,
        retry: RetryPolicy,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            registry,
            retry,
            clock,
            known: Mutex::default(),
            waiting: watch::Sender::default(),
        })
    }

    /// The schema with this id, or why documents that name it cannot be decoded. Callers that ask for the same id
    /// wait for one request.
    ///
    /// # Errors
    /// Those of [`SchemaRegistry::look_up`]; if `is_streaming`, an unavailable registry is none.
    pub(crate) async fn get(
        &self,
        id: SchemaId,
        is_streaming: bool,
        random: fastrand::Rng,
    ) -> Result<Result<Arc<AvroSchema>, String>> {
        let _waiting = is_streaming.then(|| {
            self.waiting.send_modify(|waiting| *waiting += 1);
            Waiting(&self.waiting)
        });
        let cell = self.cell(id);
        let known = cell.get_or_try_init(|| self.look_up(id, is_streaming, random));
        Ok(match known.await? {
            Known::Schema(schema) => Ok(Arc::clone(schema)),
            Known::NoSchema(reason, _) => Err(reason.clone()),
        })
    }

    /// Returns once a streaming query waits for a schema for longer than a registry takes that works.
    pub(crate) async fn is_stuck(&self) {
        let mut waiting = self.waiting.subscribe();
        loop {
            // Neither fails, because the sender lives as long as `self`.
            let _ = waiting.wait_for(|waiting| *waiting > 0).await;
            let answered = waiting.wait_for(|waiting| *waiting == 0);
            if tokio::time::timeout(LONG_WAIT, answered).await.is_err() {
                return;
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SchemaId, Arc<OnceCell<Known>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cell for what is known about an id; a new one if that is out of date.
    fn cell(&self, id: SchemaId) -> Arc<OnceCell<Known>> {
        let now = self.clock.now();
        let mut known = self.known();
        if let Some(cell) = known.get(&id)
            && !is_out_of_date(cell, now)
        {
            return Arc::clone(cell);
        }
        if known.len() >= MAX_IDS {
            known.retain(|_, cell| matches!(cell.get(), Some(Known::Schema(_))));
        }
        if known.len() >= MAX_IDS {
            known.clear();
        }
        let cell = Arc::new(OnceCell::new());
        known.insert(id, Arc::clone(&cell));
        cell
    }

    async fn look_up(
        &self,
        id: SchemaId,
        is_streaming: bool,
        random: fastrand::Rng,
    ) -> Result<Known> {
        let mut backoff = match is_streaming {
            true => Backoff::endless(self.retry, random),
            false => Backoff::new(self.retry, random),
        };
        let found = self.registry.look_up(id, &mut backoff).await?;
        let parsed = found.and_then(|RegisteredSchema { text, references }| {
            let schema = AvroSchema::with_references(&text, &references);
            schema.map_err(|reason| {
                format!(
                    "names {id} of {}, which is invalid: {reason}",
                    self.registry
                )
            })
        });
        Ok(match parsed {
            Ok(schema) => Known::Schema(Arc::new(schema)),
            Err(reason) => Known::NoSchema(reason, self.clock.now()),
        })
    }
}

fn is_out_of_date(cell: &OnceCell<Known>, now: UnixMillis) -> bool {
    match cell.get() {
        Some(Known::NoSchema(_, found)) => {
            let age = now.0.saturating_sub(found.0);
            u128::try_from(age).is_ok_and(|age| age >= UNKNOWN_FOR.as_millis())
        }
        _ => false,
    }
}
