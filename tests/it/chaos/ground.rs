//! The shared environment of a simulation: service, clocks, trace, and detected faults.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion_kinesis::checkpoint::{Log, ObjectStoreCommitter, OffsetCommitter, set_memory};
use datafusion_kinesis::kinesis::{
    FaultPlan, FaultRates, InMemoryKinesis, InMemoryOptions, Kinesis, ListShardsFrom, Operation,
    ShardFilter,
};
use datafusion_kinesis::model::{Clock, Shard, StreamIdentity, StreamName, UnixMillis};
use futures::FutureExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::Value;

use super::book::Book;
use super::over_http::{OverHttp, SharedClock};
use super::schedule::{Query, Retention, Schedule, Start, Weather};
use super::sink::Sink;
use super::store::named_by;
use super::tally::{Met, Tally};
use super::verdict::Truth;
use super::writers::Written;
use crate::support::EPOCH;

/// The only stream.
pub(super) const STREAM: &str = "words";

/// The default retention of a stream.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// The clock of the query: the service's clock plus an offset that jumps.
#[derive(Debug)]
pub(super) struct JumpingClock {
    service: Arc<dyn Clock>,
    offset_millis: AtomicI64,
}

impl JumpingClock {
    pub(super) fn set(&self, offset_millis: i64) {
        self.offset_millis.store(offset_millis, Ordering::SeqCst);
    }

    pub(super) fn set_back(&self, millis: i64) {
        self.offset_millis.fetch_sub(millis, Ordering::SeqCst);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.service.now().0 + self.offset_millis.load(Ordering::SeqCst))
    }
}

#[derive(Debug)]
pub(super) struct Ground {
    pub(super) kinesis: Arc<InMemoryKinesis>,
    /// How queries and writers use it, if not directly.
    over_http: Option<Arc<OverHttp>>,
    pub(super) stream: StreamIdentity,
    /// The service's clock.
    pub(super) clock: Arc<dyn Clock>,
    pub(super) query_clock: Arc<JumpingClock>,
    /// Location of the query's log, unique to this run.
    pub(super) location: String,
    /// Location of its state.
    pub(super) state: Arc<InMemory>,
    pub(super) query: Query,
    pub(super) book: Mutex<Book>,
    pub(super) sink: Mutex<Sink>,
    pub(super) written: Mutex<Written>,
    pub(super) tally: Mutex<Tally>,
    /// The contents of the stream when it outlived its retention; `None` if it did not.
    pub(super) outlived: Mutex<Option<Truth>>,
    /// Whether the query has reported a loss.
    pub(super) loss_told: AtomicBool,
    trace: Mutex<String>,
    faults: Mutex<Vec<String>>,
}

impl Ground {
    pub(super) async fn new(schedule: &Schedule, location: String) -> Arc<Self> {
        let shared = Arc::new(SharedClock::starting_at(EPOCH));
        let clock: Arc<dyn Clock> = Arc::<SharedClock>::clone(&shared);
        let options = InMemoryOptions::default()
            .with_enforce_limits(schedule.service.enforces_limits)
            .with_status_delay(schedule.service.status_delay)
            .with_max_shards_per_page(schedule.service.shards_per_page)
            .with_seed(schedule.seed);
        let kinesis = InMemoryKinesis::new(Arc::clone(&clock), options);
        let name = StreamName::new(STREAM).unwrap();
        let created = kinesis.create_stream(&name, schedule.service.shards);
        created.await.unwrap();
        tokio::time::sleep(schedule.service.status_delay).await;
        let kinesis = Arc::new(kinesis);
        let over_http = schedule.service.over_http.map(|format| {
            let kinesis = Arc::clone(&kinesis);
            Arc::new(OverHttp::new(kinesis, shared, format, schedule.seed))
        });
        Arc::new(Self {
            kinesis,
            over_http,
            stream: StreamIdentity::named(name),
            query_clock: Arc::new(JumpingClock {
                service: Arc::clone(&clock),
                offset_millis: AtomicI64::new(0),
            }),
            clock,
            location,
            state: Arc::default(),
            query: schedule.query,
            book: Mutex::default(),
            sink: Mutex::default(),
            written: Mutex::default(),
            tally: Mutex::default(),
            outlived: Mutex::default(),
            loss_told: AtomicBool::new(false),
            trace: Mutex::default(),
            faults: Mutex::default(),
        })
    }

    /// The service of queries and writers.
    pub(super) fn service(&self) -> Arc<dyn Kinesis> {
        match &self.over_http {
            None => Arc::<InMemoryKinesis>::clone(&self.kinesis),
            Some(over_http) => Arc::<OverHttp>::clone(over_http),
        }
    }

    /// Adds to the trace, with the time.
    pub(super) fn tell(&self, what: impl std::fmt::Display) {
        let millis = self.clock.now().since(EPOCH).as_millis();
        let mut what = what.to_string().replace(&self.location, "the log");
        if let Some(over_http) = &self.over_http {
            what = over_http.without_names(&what);
        }
        let mut trace = self.trace.lock().unwrap();
        writeln!(trace, "{millis:>8} ms: {what}").unwrap();
    }

    pub(super) fn trace(&self) -> String {
        self.trace.lock().unwrap().clone()
    }

    /// Reports a violated guarantee.
    pub(super) fn fault(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell(format!("WRONG: {what}"));
        self.faults.lock().unwrap().push(what);
    }

    /// The first violated guarantee.
    pub(super) fn first_fault(&self) -> Option<String> {
        self.faults.lock().unwrap().first().cloned()
    }

    /// Waits until everything except the newest records has expired.
    pub(super) async fn outlive(&self, retention: Retention, start: Start) {
        let truth = self.truth().await;
        *self.outlived.lock().unwrap() = Some(truth);
        self.tell(format_args!("{retention:?}"));
        let unread = self.book.lock().unwrap().ledger.offsets.is_empty();
        // A query from the oldest record cannot claim records that expired before its start.
        let none = unread && start == Start::TrimHorizon;
        self.loss_told.store(none, Ordering::SeqCst);
        tokio::time::advance(RETENTION.saturating_sub(retention.kept)).await;
    }

    /// Records the losses that a start reports; there are none while the stream keeps its records.
    pub(super) fn told(&self, life: usize, losses: u64) {
        if losses == 0 {
            return;
        }
        self.tell(format_args!("life {life}: {losses} losses"));
        self.loss_told.store(true, Ordering::SeqCst);
        self.tally.lock().unwrap().add(Met::LossesTold, 1);
        if self.outlived.lock().unwrap().is_none() {
            self.fault(format!("life {life} reports a loss although there is none"));
        }
    }

    /// Asserts that the state files named by a commit exist.
    pub(super) fn expect_state(&self, commit: &[u8]) -> Result<(), String> {
        let commit: Value = serde_json::from_slice(commit).map_err(|error| error.to_string())?;
        for name in named_by(&commit) {
            let path = Path::from(format!("state/{name}"));
            // An in-memory store answers at once.
            let found = self.state.head(&path).now_or_never();
            if found.is_none_or(|found| found.is_err()) {
                return Err(format!("a commit names {path}, which does not exist"));
            }
        }
        Ok(())
    }

    /// Frees what the log of the query keeps in memory.
    pub(super) async fn clean_up(&self) {
        let store = ObjectStoreCommitter::open(&self.location).unwrap();
        for log in [Log::Offsets, Log::Commits] {
            for batch in store.batches(log).await.unwrap() {
                store.remove(log, batch).await.unwrap();
            }
        }
        let starts = self.tally.lock().unwrap().of(Met::Starts);
        for life in 0..starts as usize {
            let location = self.state_location(life);
            set_memory(location.strip_prefix("memory://").unwrap(), None);
        }
    }

    /// The URL under which a start accesses the state.
    pub(super) fn state_location(&self, life: usize) -> String {
        format!("{}-life-{life}", self.location)
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        self.tell(format!("weather {weather:?}"));
        let mut rates = rates(weather);
        if let Some(over_http) = &self.over_http {
            over_http.set_latency(rates.min_latency, rates.max_latency);
            rates = (rates.with_min_latency(Duration::ZERO)).with_max_latency(Duration::ZERO);
        }
        self.kinesis.set_faults(plan(rates));
    }

    /// A complete listing of the shards, retried until it succeeds.
    pub(super) async fn shards(&self, filter: ShardFilter) -> Vec<Shard> {
        loop {
            match self.try_shards(filter).await {
                Some(shards) => return shards,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn try_shards(&self, filter: ShardFilter) -> Option<Vec<Shard>> {
        let stream = &self.stream;
        let (mut shards, mut token) = (Vec::new(), None);
        loop {
            let from = match &token {
                None => ListShardsFrom::Start { stream, filter },
                Some(token) => ListShardsFrom::Page { stream, token },
            };
            let page = self.kinesis.list_shards(from).await.ok()?;
            shards.extend(page.shards);
            token = page.next;
            if token.is_none() {
                return Some(shards);
            }
        }
    }
}

fn rates(weather: Weather) -> FaultRates {
    let calm = FaultRates::default().with_max_latency(Duration::from_millis(5));
    match weather {
        Weather::Calm => calm,
        Weather::Rough => calm
            .with_throttled(0.05)
            .with_internal_failure(0.05)
            .with_connection_lost(0.05)
            .with_answer_lost(0.1)
            .with_expired_iterator(0.05)
            .with_empty_page(0.1)
            .with_failed_entry(0.1)
            .with_max_latency(Duration::from_millis(60)),
        Weather::Throttled => calm.with_throttled(0.6).with_failed_entry(0.3),
        Weather::Slow => calm
            .with_min_latency(Duration::from_millis(50))
            .with_max_latency(Duration::from_millis(1_500)),
        Weather::Expiring => calm.with_expired_iterator(0.4).with_empty_page(0.3),
        Weather::Away => calm.with_connection_lost(1.0),
    }
}

fn plan(rates: FaultRates) -> FaultPlan {
    let operations = [
        Operation::DescribeStreamSummary,
        Operation::GetRecords,
        Operation::GetShardIterator,
        Operation::ListShards,
        Operation::PutRecords,
    ];
    let plan = FaultPlan::default();
    operations.into_iter().fold(plan, |plan, operation| {
        // Errors that only GetRecords and PutRecords have would make no sense for other calls.
        let strikes = operation == Operation::GetRecords;
        let expired_iterator = if strikes { rates.expired_iterator } else { 0.0 };
        let rates = rates.with_expired_iterator(expired_iterator);
        plan.with(operation, rates)
    })
}
