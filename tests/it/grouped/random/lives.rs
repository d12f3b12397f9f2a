//! Runs a query over rounds of rows, killed and restarted with other settings.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion_kinesis::Error;
use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{HashKey, StreamIdentity};
use datafusion_kinesis::query::{Step, StreamingQuery, StreamingQueryBuilder};
use fastrand::Rng;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};

use super::compare::{Line, lines};
use super::query::Query;
use super::rows::{Round, Row};
use crate::streaming::{FROM_THE_START, Freeze};
use crate::support::{World, entry};

/// The settings of a start, and where it is killed.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) partitions: usize,
    /// Rows per batch within a plan.
    batch_rows: usize,
    /// Rows after which a partial aggregation may give up.
    probed: usize,
    /// A step, and how often it is reached.
    death: Option<(Step, usize)>,
}

impl Life {
    pub(super) fn draw(random: &mut Rng, is_last: bool) -> Self {
        Self {
            partitions: random.usize(1..=8),
            batch_rows: [2, 7, 8_192][random.usize(..3)],
            probed: [1, 100_000][random.usize(..2)],
            death: (!is_last).then(|| {
                let step = Step::ALL[random.usize(..Step::ALL.len())];
                (step, random.usize(1..5))
            }),
        }
    }

    /// Prevents partial aggregations from giving up.
    pub(super) fn never_give_up(&mut self) {
        self.probed = 100_000;
    }

    /// `builder` with its kill point, and a future for when it is reached.
    pub(super) fn killed(
        &self,
        builder: StreamingQueryBuilder,
    ) -> (StreamingQueryBuilder, BoxFuture<'_, ()>) {
        let Some((step, nth)) = self.death else {
            return (builder, std::future::pending().boxed());
        };
        let freeze = Freeze::at(step, nth);
        let builder = builder.with_step_hook(freeze.hook.clone());
        (builder, async move { freeze.reached().await }.boxed())
    }

    pub(super) async fn set(&self, world: &World) {
        for (name, value) in [
            ("target_partitions", self.partitions),
            ("batch_size", self.batch_rows),
            ("skip_partial_aggregation_probe_rows_threshold", self.probed),
        ] {
            let statement = format!("SET datafusion.execution.{name} = {value}");
            world.run(&statement).await;
        }
        let ratio = "datafusion.execution.skip_partial_aggregation_probe_ratio_threshold";
        world.run(&format!("SET {ratio} = 0.1")).await;
    }
}

/// The rows that a query returned.
#[derive(Debug, Clone, Default)]
pub(super) struct Given(Arc<Mutex<Batches>>);

#[derive(Debug, Default)]
struct Batches {
    rows: BTreeMap<u64, Vec<Line>>,
    /// A batch that returned other rows when it was rerun.
    wrong: Option<String>,
}

impl Given {
    pub(super) fn of(
        &self,
        query: &Arc<Query>,
        builder: StreamingQueryBuilder,
    ) -> StreamingQueryBuilder {
        let (given, query) = (self.clone(), Arc::clone(query));
        builder.foreach_batch(move |batch, rows| {
            let (given, query) = (given.clone(), Arc::clone(&query));
            async move {
                let rows: Vec<RecordBatch> = rows.try_collect().await?;
                given.take(&query, batch.0, lines(&rows));
                Ok(())
            }
        })
    }

    fn take(&self, query: &Query, batch: u64, lines: Vec<Line>) {
        let Batches { rows, wrong } = &mut *self.0.lock().unwrap();
        if let Some(before) = rows.get(&batch) {
            let differs = match (query.groups(before), query.groups(&lines)) {
                (Ok(before), Ok(again)) => query.differs(&before, &again),
                (Err(error), _) | (_, Err(error)) => Some(error),
            };
            let differs = differs.map(|differs| format!("batch {batch} ran again: {differs}"));
            *wrong = wrong.take().or(differs);
        }
        rows.insert(batch, lines);
    }

    /// The rows of each batch.
    ///
    /// # Errors
    /// A rerun batch had other rows.
    pub(super) fn batches(&self) -> Result<Vec<Vec<Line>>, String> {
        let given = self.0.lock().unwrap();
        match &given.wrong {
            Some(wrong) => Err(wrong.clone()),
            None => Ok(given.rows.values().cloned().collect()),
        }
    }
}

/// Puts `rows` into their shards of `words`.
pub(super) async fn put(world: &World, rows: &[Row], shards: u32) {
    let stream = StreamIdentity::parse("words").unwrap();
    let width = u128::MAX / u128::from(shards);
    for rows in rows.chunks(500) {
        let entries = rows.iter().map(|row| {
            let hash_key = HashKey(width * u128::from(row.shard) + width / 2);
            entry("k", row.text(), Some(hash_key))
        });
        let entries: Vec<_> = entries.collect();
        let outcomes = world.kinesis.put_records(&stream, &entries).await.unwrap();
        outcomes
            .into_iter()
            .for_each(|outcome| drop(outcome.unwrap()));
    }
}

/// Runs a query over `rounds` with one start per entry of `lives`. Returns the number of late rows
/// of the last start.
pub(super) async fn live(
    query: &Arc<Query>,
    shards: u32,
    rounds: &[Round],
    lives: &[Life],
    given: &Given,
    place: &str,
) -> Result<u64, String> {
    let world = World::new();
    world.unbounded_table("words", shards, FROM_THE_START).await;
    let (mut rounds, mut rest, mut late) = (rounds.iter(), Duration::ZERO, 0);
    'lives: for life in lives {
        life.set(&world).await;
        let builder = given.of(
            query,
            builder(&world, query).with_checkpoint_location(place),
        );
        let (builder, mut killed) = life.killed(builder);
        let running = tokio::select! {
            biased;
            () = &mut killed => continue,
            started = builder.start() => started.map_err(|error| error.to_string())?,
        };
        loop {
            let settled = async {
                running.process_all_available().await?;
                tokio::time::sleep(rest).await;
                Ok::<_, Error>(())
            };
            tokio::select! {
                biased;
                () = &mut killed => continue 'lives,
                settled = settled => settled.map_err(|error| error.to_string())?,
            }
            let Some(round) = rounds.next() else {
                break;
            };
            put(&world, &round.rows, shards).await;
            rest = round.rest;
        }
        let progress = running.recent_progress();
        let states = progress
            .iter()
            .filter_map(|told| told.state_operator.as_ref());
        late = states.map(|state| state.rows_dropped_by_watermark).sum();
        running.stop().await.map_err(|error| error.to_string())?;
    }
    Ok(late)
}

pub(super) fn builder(world: &World, query: &Query) -> StreamingQueryBuilder {
    let builder = StreamingQuery::builder(&world.ctx, query.over_words())
        .with_output_mode(query.mode)
        .with_seed(7);
    match query.delay {
        Some(delay) => builder.with_watermark(delay, None),
        None => builder,
    }
}
