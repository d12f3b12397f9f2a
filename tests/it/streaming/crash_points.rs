//! A query that is killed at any step, in any log call, between its rows or in its writes runs the
//! same batches as an uninterrupted query.

use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_kinesis::checkpoint::Log;
use datafusion_kinesis::model::Trigger;
use tokio::time::Instant;

use super::checkpoint_log::{CheckpointLog, PLACED, placed_numbers, put_mixed};
use super::fault_proxy::FaultProxy;
use super::log_locations::{LogStore, placed};
use super::watched_committer::{Call, Side, WatchedCommitter};
use super::*;

const TICK: Trigger = Trigger::ProcessingTime(Duration::from_secs(1));
const ROWS: u64 = 45;

/// Where a query is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// At the step, when it is reached for the n-th time.
    Step(Step, usize),
    Call(Call, Side),
    /// After the sink has taken this many parts of its first batch.
    Rows(usize),
}

/// A query that is killed, and one that is not, on the same stream.
struct Trial {
    world: World,
    place: String,
    sink: Sink,
    calm: StreamingQuery,
    calm_place: String,
    calm_sink: Sink,
    written: u64,
    began: Instant,
}

impl Trial {
    async fn new(keeper: LogStore, name: &str, retained: u64) -> Self {
        let (began, world) = (Instant::now(), World::new());
        let options = format!(
            "{FROM_THE_START}, 'kinesis.maxFetchRecordsPerShard' '8',
             'kinesis.extraColumns' 'shardId,subSequenceNumber',
             'kinesis.minBatchesToRetain' '{retained}'"
        );
        world.unbounded_table("words", 3, &options).await;
        // One part of the rows per shard.
        world
            .run("SET datafusion.execution.target_partitions = 3")
            .await;
        let (calm_sink, calm_place) = (Sink::default(), format!("memory://{keeper:?}-{name}-calm"));
        let calm = StreamingQuery::builder(&world.ctx, PLACED).with_trigger(TICK);
        let calm = placed(calm_sink.of(calm), &calm_place);
        Self {
            calm: calm.start().await.unwrap(),
            place: keeper.place(name),
            sink: Sink::default(),
            calm_place,
            calm_sink,
            written: 0,
            began,
            world,
        }
    }

    fn builder(&self) -> StreamingQueryBuilder {
        let builder = StreamingQuery::builder(&self.world.ctx, PLACED);
        placed(builder, &self.place).with_trigger(TICK).with_seed(7)
    }

    /// Runs the query until it is killed at `point`.
    async fn kill_at(&self, point: Point) {
        let committer = WatchedCommitter::at(&self.place);
        let mut builder = self.builder();
        let mut freeze = None;
        let rows = Arc::new(Notify::new());
        match point {
            Point::Step(step, nth) => {
                let at = Freeze::at(step, nth);
                builder = self.sink.of(builder).with_step_hook(at.hook.clone());
                freeze = Some(at);
            }
            Point::Call(call, side) => {
                committer.freeze(call, side);
                builder = self.sink.of(builder);
            }
            Point::Rows(parts) => builder = self.taking(builder, parts, &rows),
        }
        let builder = builder.with_committer(Arc::<WatchedCommitter>::clone(&committer));
        let run = async {
            let _query = builder.start().await.unwrap();
            std::future::pending::<()>().await;
        };
        let reached = async {
            match (&freeze, point) {
                (Some(freeze), _) => freeze.reached().await,
                (None, Point::Rows(_)) => rows.notified().await,
                (None, _) => committer.frozen().await,
            }
        };
        tokio::select! {
            () = run => {}
            reached = tokio::time::timeout(Duration::from_secs(9), reached) => {
                assert!(reached.is_ok(), "{point:?} was not reached");
            }
        }
    }

    /// A sink that blocks forever after `parts` parts of a batch.
    fn taking(
        &self,
        builder: StreamingQueryBuilder,
        parts: usize,
        reached: &Arc<Notify>,
    ) -> StreamingQueryBuilder {
        let (sink, reached) = (self.sink.clone(), Arc::clone(reached));
        builder.foreach_batch(move |batch, rows| {
            let (sink, reached) = (sink.clone(), Arc::clone(&reached));
            let schema = rows.schema();
            let rows = rows.enumerate().then(move |(part, rows)| {
                let reached = Arc::clone(&reached);
                async move {
                    if part == parts {
                        reached.notify_one();
                        std::future::pending::<()>().await;
                    }
                    rows
                }
            });
            let rows = RecordBatchStreamAdapter::new(schema, rows);
            sink.take(batch, Box::pin(rows))
        })
    }

    /// Puts new rows, kills the query at each point of `chain`, and then runs it to the end of the
    /// rows.
    async fn survives(&mut self, chain: &[Point]) {
        // Just after a tick, so that both queries read all of it before the next one.
        let behind = self.began.elapsed().as_millis() % 1_000;
        tokio::time::sleep(Duration::from_millis(1_005 - behind as u64)).await;
        put_mixed(&self.world, self.written, ROWS).await;
        self.written += ROWS;
        for point in chain {
            self.kill_at(*point).await;
        }
        let query = self.sink.of(self.builder()).start().await.unwrap();
        self.calm.process_all_available().await.unwrap();
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
        let (ledger, calm) = (
            CheckpointLog::of(&self.place).await,
            CheckpointLog::of(&self.calm_place).await,
        );
        assert_eq!(ledger.sources(), calm.sources(), "{chain:?}");
        assert!(ledger.commits.keys().eq(calm.commits.keys()), "{chain:?}");
        let (rows, calm) = (
            self.sink.0.lock().unwrap(),
            self.calm_sink.0.lock().unwrap(),
        );
        assert_eq!(*rows, *calm, "{chain:?}");
    }

    async fn end(self) {
        let expected: Vec<_> = (0..self.written).collect();
        assert_eq!(placed_numbers(&self.sink), expected);
        let ledger = CheckpointLog::of(&self.place).await;
        if ledger.offsets.contains_key(&0) {
            ledger.check();
            ledger.check_rows(&self.sink);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_step_it_runs_the_batches_of_an_uninterrupted_run() {
    at_every_step(LogStore::Memory).await;
}

pub(super) async fn at_every_step(keeper: LogStore) {
    let mut trial = Trial::new(keeper, "at-every-step", 1_000).await;
    for step in Step::ALL {
        trial.survives(&[Point::Step(step, 1)]).await;
        if step >= Step::Planned {
            trial.survives(&[Point::Step(step, 2)]).await;
        }
    }
    for parts in 0..3 {
        trial.survives(&[Point::Rows(parts)]).await;
    }
    trial.end().await;
}

#[tokio::test(start_paused = true)]
async fn killed_in_any_log_call_it_runs_the_batches_of_an_uninterrupted_run() {
    in_any_call(LogStore::Memory).await;
}

pub(super) async fn in_any_call(keeper: LogStore) {
    let calls = [
        Call::Metadata,
        Call::TakeEpoch,
        Call::Batches(Log::Offsets),
        Call::Batches(Log::Commits),
        Call::Get(Log::Offsets),
        Call::Get(Log::Commits),
        Call::Put(Log::Offsets),
        Call::Put(Log::Commits),
        Call::Remove(Log::Commits),
        Call::Remove(Log::Offsets),
    ];
    for side in [Side::Before, Side::After] {
        let mut trial = Trial::new(keeper, &format!("in-any-call-{side:?}"), 5).await;
        trial
            .survives(&[Point::Call(Call::CreateMetadata, side)])
            .await;
        for call in calls {
            trial.survives(&[Point::Call(call, side)]).await;
        }
        trial.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn killed_during_recovery_it_runs_the_batches_of_an_uninterrupted_run() {
    again_and_again(LogStore::Memory).await;
}

pub(super) async fn again_and_again(keeper: LogStore) {
    let mut trial = Trial::new(keeper, "again-and-again", 1_000).await;
    let begun = [
        Point::Step(Step::OffsetsLogged, 1),
        Point::Rows(1),
        Point::Call(Call::Put(Log::Commits), Side::Before),
        Point::Call(Call::Put(Log::Commits), Side::After),
        Point::Call(Call::Put(Log::Offsets), Side::After),
    ];
    let again = [
        Point::Call(Call::TakeEpoch, Side::After),
        Point::Call(Call::Get(Log::Offsets), Side::After),
        Point::Step(Step::ReadersStarted, 1),
        Point::Step(Step::Planned, 1),
        Point::Step(Step::Running, 1),
        Point::Rows(0),
        Point::Step(Step::Ran, 1),
        Point::Step(Step::CommitLogging, 1),
    ];
    for (turn, first) in begun.into_iter().enumerate() {
        let mut chain = vec![first];
        chain.extend(again.iter().skip(turn).chain(&again[..turn]));
        trial.survives(&chain).await;
    }
    trial.end().await;
}

/// Writing to a stream is at least once: an interrupted batch is written again completely.
#[tokio::test(start_paused = true)]
async fn killed_during_a_write_it_writes_the_batch_again() {
    const COPY: &str = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words";
    let (world, front) = FaultProxy::world();
    world.unbounded_table("words", 3, FROM_THE_START).await;
    world.table("out", 2, "").await;
    let start = || {
        StreamingQuery::builder(&world.ctx, COPY)
            .with_checkpoint_location("memory://killed-in-a-write")
            .start()
    };
    let mut expected = BTreeMap::new();
    for round in 0..12_u64 {
        let side = if round % 2 == 0 {
            Side::Before
        } else {
            Side::After
        };
        let numbers = round * 30..(round + 1) * 30;
        for number in numbers {
            let text = number.to_string();
            world.put("words", &text, text.clone()).await;
            expected.insert(number, 1);
        }
        // Killed after the write, the whole batch is written twice.
        let again = u64::from(side == Side::After);
        front.freeze(side);
        let query = start().await.unwrap();
        front.frozen().await;
        drop(query);
        let query = start().await.unwrap();
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
        let rows = world.lines("SELECT CAST(data AS VARCHAR) FROM out").await;
        let mut counts = BTreeMap::<u64, u64>::new();
        for row in rows {
            *counts.entry(row.parse().unwrap()).or_default() += 1;
        }
        assert!(
            counts.keys().eq(expected.keys()),
            "round {round}: lost rows"
        );
        let twice = counts.values().filter(|count| **count == 2).count() as u64;
        assert!(counts.values().all(|count| *count <= 2), "round {round}");
        let before = expected.values().filter(|count| **count == 2).count() as u64;
        assert_eq!(twice > before, again == 1, "round {round}");
        expected = counts;
    }
}
