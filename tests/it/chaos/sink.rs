//! An idempotent sink that keeps batches by number and validates each of them.

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

/// Selects the rows for this sink.
pub(super) const SELECT: &str = "SELECT shardId, sequenceNumber, subSequenceNumber, partitionKey,
    CAST(data AS VARCHAR) FROM words";

/// The error of a failing sink.
pub(super) const AWAY: &str = "the sink is unavailable";

/// The position of a row in the stream.
pub(super) type RowPlace = (String, SequenceNumber, u64);

/// A row: its position, its key, and its number under that key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) place: RowPlace,
    pub(super) key: String,
    pub(super) counter: u64,
}

/// Batches by number, with rows in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) batches: BTreeMap<u64, Vec<Row>>,
    pub(super) rows: usize,
    /// The source of the rows, if the query has groups.
    pub(super) groups: GroupedBatches,
}

/// The contents of a batch.
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

    /// Keeps a batch. Returns whether it was there, with the same rows. If some may be `lost`
    /// since, the remaining rows must be a subset of the earlier ones.
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
            // Groups no longer contain lost rows.
            if !self.groups.is_empty() {
                self.rows -= before.len() - rows.len();
                self.batches.insert(batch.0, rows);
            }
            return Ok(true);
        }
        Err(format!(
            "batch {batch} was rerun with other rows: {} before, {} now",
            before.len(),
            rows.len()
        ))
    }
}

/// Rows by shard, in shard order; there is no order between shards.
fn by_shard(rows: &[Row]) -> BTreeMap<&str, Vec<&Row>> {
    let mut shards = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        shards.entry(row.place.0.as_str()).or_default().push(row);
    }
    shards
}

/// The access of one start to the sink.
#[derive(Debug)]
pub(super) struct Way {
    ground: Arc<Ground>,
    life: usize,
    plan: SinkPlan,
    random: Mutex<fastrand::Rng>,
    /// Set once the start has ended, after which it must not write.
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
            "life {life}: sink stores batch {batch}, {} rows",
            rows.len()
        ));
        if *self.over.lock().unwrap() {
            ground.fault(format!("life {life} has ended but writes batch {batch}"));
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

    /// Whether each row is in the range of its batch in the log, and in the order of its shard.
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
                return Err(format!("{row:?} is out of order"));
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
