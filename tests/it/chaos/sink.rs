//! An idempotent sink: it keeps batches by their numbers, and looks whether each may be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::{as_int64_array, as_string_array};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion_kinesis::model::{BatchId, SequenceNumber};
use futures::TryStreamExt;

use super::ground::Ground;
use super::groups::{GroupedBatches, Groups, read_groups};
use super::schedule::{Query, SinkPlan};
use super::tally::Met;
use super::writers::counter_in;
use crate::streaming::checkpoint_log::Place;

/// Gives the rows this sink takes.
pub(super) const SELECT: &str = "SELECT shardId, sequenceNumber, subSequenceNumber, partitionKey,
    CAST(data AS VARCHAR) FROM words";

/// What a sink that fails says.
pub(super) const AWAY: &str = "the sink is away";

/// Where a row is in the stream.
pub(super) type RowPlace = (String, SequenceNumber, u64);

/// A row: its place, its key and its number under that key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) place: RowPlace,
    pub(super) key: String,
    pub(super) counter: u64,
}

/// Batches by number; rows in the order they came.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) batches: BTreeMap<u64, Vec<Row>>,
    pub(super) rows: usize,
    /// What the rows come from where the query has groups.
    pub(super) groups: GroupedBatches,
}

/// What a batch gives.
enum Taken {
    Copies(Vec<Row>),
    Groups(Groups),
}

impl Taken {
    fn copies(batches: &[RecordBatch]) -> Result<Self, DataFusionError> {
        let mut rows = Vec::new();
        for batch in batches {
            read(batch, &mut rows)?;
        }
        Ok(Self::Copies(rows))
    }

    fn groups(batches: &[RecordBatch]) -> Result<Self, DataFusionError> {
        Ok(Self::Groups(read_groups(batches)?))
    }
}

impl Sink {
    pub(super) fn has(&self, batch: BatchId) -> bool {
        self.batches.contains_key(&batch.0)
    }

    /// Keeps a batch; gives whether it was there, with the same rows. Where some may be `lost` since,
    /// those that are left are a part of what was there.
    fn keep(&mut self, batch: BatchId, rows: Vec<Row>, lost: bool) -> Result<bool, String> {
        let Some(before) = self.batches.get(&batch.0) else {
            self.rows += rows.len();
            self.batches.insert(batch.0, rows);
            return Ok(false);
        };
        if by_shard(before) == by_shard(&rows) {
            return Ok(true);
        }
        if lost && rows.iter().all(|row| before.contains(row)) {
            // Groups know nothing any more of what is lost.
            if !self.groups.is_empty() {
                self.rows -= before.len() - rows.len();
                self.batches.insert(batch.0, rows);
            }
            return Ok(true);
        }
        Err(format!(
            "batch {batch} ran again with other rows: {} before, {} now",
            before.len(),
            rows.len()
        ))
    }
}

/// Rows as each shard gave them: between shards there is no order.
fn by_shard(rows: &[Row]) -> BTreeMap<&str, Vec<&Row>> {
    let mut shards = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        shards.entry(row.place.0.as_str()).or_default().push(row);
    }
    shards
}

/// The way of one start to the sink.
#[derive(Debug)]
pub(super) struct Way {
    ground: Arc<Ground>,
    life: usize,
    plan: SinkPlan,
    random: Mutex<fastrand::Rng>,
    /// Set once the start has ended: it must write no more.
    over: Mutex<bool>,
}

impl Way {
    pub(super) fn new(ground: &Arc<Ground>, life: usize, plan: SinkPlan, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            ground: Arc::clone(ground),
            life,
            plan,
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            over: Mutex::default(),
        })
    }

    pub(super) fn close(&self) {
        *self.over.lock().unwrap() = true;
    }

    pub(super) async fn take(
        self: Arc<Self>,
        batch: BatchId,
        rows: SendableRecordBatchStream,
    ) -> Result<(), DataFusionError> {
        let batches: Vec<_> = rows.try_collect().await?;
        let taken = match self.ground.query {
            Query::Copies => Taken::copies(&batches)?,
            Query::Groups => Taken::groups(&batches)?,
        };
        let (latency, fate) = {
            let mut random = self.random.lock().unwrap();
            (self.plan.latency.mul_f64(random.f64()), random.f64())
        };
        tokio::time::sleep(latency).await;
        let away = || Err(DataFusionError::External(AWAY.into()));
        if fate < self.plan.fails / 2.0 {
            return away();
        }
        self.write(batch, taken);
        if fate < self.plan.fails {
            return away();
        }
        Ok(())
    }

    fn write(&self, batch: BatchId, taken: Taken) {
        let Self { ground, life, .. } = self;
        let rows = match taken {
            Taken::Copies(rows) => rows,
            Taken::Groups(groups) => {
                let rows = ground.sink.lock().unwrap().groups.put(batch, groups);
                rows.unwrap_or_else(|wrong| {
                    ground.fault(format!("life {life}, batch {batch}: {wrong}"));
                    Vec::new()
                })
            }
        };
        ground.tell(format_args!(
            "life {life}: sink takes batch {batch}, {} rows",
            rows.len()
        ));
        if *self.over.lock().unwrap() {
            ground.fault(format!("life {life} has ended and writes batch {batch}"));
        }
        if let Err(wrong) = self.look(batch, &rows) {
            ground.fault(format!("life {life}, batch {batch}: {wrong}"));
        }
        let lost = ground.outlived.lock().unwrap().is_some();
        let kept = ground.sink.lock().unwrap().keep(batch, rows, lost);
        match kept {
            Ok(again) => {
                let mut tally = ground.tally.lock().unwrap();
                tally.add(Met::BatchesAgain, u64::from(again));
            }
            Err(wrong) => ground.fault(format!("life {life}: {wrong}")),
        }
    }

    /// Whether each row is in its batch because the log says so, in the order of its shard.
    fn look(&self, batch: BatchId, rows: &[Row]) -> Result<(), String> {
        let book = self.ground.book.lock().unwrap();
        if !book.ledger.offsets.contains_key(&batch.0) {
            return Err("its offsets are not logged".to_owned());
        }
        let ranges = book.ledger.ranges(batch.0);
        let mut last = BTreeMap::<&str, Place>::new();
        for row in rows {
            let (shard, sequence, sub) = &row.place;
            let place = Place::Behind(sequence.clone(), *sub);
            let Some((after, upto)) = ranges.get(shard) else {
                return Err(format!("{row:?} is of a shard that is not in its ranges"));
            };
            if place <= *after || place > *upto {
                return Err(format!("{row:?} is not in {after:?} to {upto:?}"));
            }
            let before = last.insert(shard, place.clone());
            if before.is_some_and(|before| before >= place) {
                return Err(format!("{row:?} comes out of order"));
            }
        }
        Ok(())
    }
}

fn read(batch: &RecordBatch, rows: &mut Vec<Row>) -> Result<(), DataFusionError> {
    let texts = [0, 1, 3, 4].map(|column| cast(batch.column(column), &DataType::Utf8));
    let [shard, sequence, key, data] = texts;
    let (shard, sequence, key, data) = (shard?, sequence?, key?, data?);
    let sub = as_int64_array(batch.column(2))?;
    for row in 0..batch.num_rows() {
        let text =
            |column| -> Result<&str, DataFusionError> { Ok(as_string_array(column)?.value(row)) };
        rows.push(Row {
            place: (
                text(&shard)?.to_owned(),
                SequenceNumber::new(text(&sequence)?)?,
                sub.value(row) as u64,
            ),
            key: text(&key)?.to_owned(),
            counter: counter_in(text(&data)?).unwrap(),
        });
    }
    Ok(())
}
