//! One stream, a query over it that stops and starts, and its output.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion_kinesis::kinesis::{Kinesis, ListShardsFrom, ShardFilter};
use datafusion_kinesis::model::{BatchId, HashKey, Shard, ShardId, StreamIdentity, Trigger};
use datafusion_kinesis::query::{StreamingQuery, StreamingQueryBuilder};
use futures::TryStreamExt;

use crate::support::World;

/// Keys for the numbers, used in turn.
const KEYS: u64 = 16;

const ROWS: &str = "SELECT shardId, partitionKey, CAST(data AS VARCHAR) FROM words";

/// A row as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) shard: String,
    pub(super) key: String,
    pub(super) number: u64,
}

/// A sink that keeps batches by number, and the order in which they ran.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    batches: BTreeMap<u64, Vec<Row>>,
    runs: Vec<u64>,
}

impl Journal {
    async fn take(
        self,
        batch: BatchId,
        rows: SendableRecordBatchStream,
    ) -> Result<(), DataFusionError> {
        let parts: Vec<_> = rows.try_collect().await?;
        let mut rows = Vec::new();
        for part in &parts {
            let texts = part
                .columns()
                .iter()
                .map(|column| cast(column, &DataType::Utf8));
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            let text = |column: usize, row| texts[column].as_string::<i32>().value(row);
            rows.extend((0..part.num_rows()).map(|row| Row {
                shard: text(0, row).to_owned(),
                key: text(1, row).to_owned(),
                number: text(2, row).parse().unwrap(),
            }));
        }
        let mut kept = self.0.lock().unwrap();
        kept.runs.push(batch.0);
        let before = kept.batches.insert(batch.0, rows.clone());
        if let Some(mut before) = before {
            before.sort();
            rows.sort();
            assert_eq!(before, rows, "batch {batch} was rerun with other rows");
        }
        Ok(())
    }

    /// All rows in order of arrival.
    pub(super) fn rows(&self) -> Vec<Row> {
        let kept = self.0.lock().unwrap();
        kept.batches.values().flatten().cloned().collect()
    }

    /// The batches that ran, including reruns.
    pub(super) fn runs(&self) -> Vec<u64> {
        self.0.lock().unwrap().runs.clone()
    }
}

/// A stream `words` of numbers under a few keys, and a query that copies it into a journal.
pub(super) struct Trial {
    pub(super) world: World,
    pub(super) journal: Journal,
    pub(super) place: String,
    trigger: Option<Trigger>,
    written: u64,
}

impl Trial {
    /// A query whose checkpoint is named `name`, over a stream read with `options`.
    pub(super) async fn new(name: &str, shards: u32, options: &str) -> Self {
        Self::of(World::new(), name, shards, options).await
    }

    pub(super) async fn of(world: World, name: &str, shards: u32, options: &str) -> Self {
        let options = match options {
            "" => String::new(),
            options => format!("{options}, "),
        } + "'kinesis.extraColumns' 'shardId'";
        world.unbounded_table("words", shards, &options).await;
        Self {
            world,
            journal: Journal::default(),
            place: format!("memory://{name}"),
            trigger: None,
            written: 0,
        }
    }

    #[must_use]
    pub(super) fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = Some(trigger);
        self
    }

    pub(super) fn builder(&self) -> StreamingQueryBuilder {
        self.without_place().with_checkpoint_location(&self.place)
    }

    fn without_place(&self) -> StreamingQueryBuilder {
        let journal = self.journal.clone();
        let query = StreamingQuery::builder(&self.world.ctx, ROWS)
            .with_seed(7)
            .foreach_batch(move |batch, rows| journal.clone().take(batch, rows));
        match self.trigger {
            Some(trigger) => query.with_trigger(trigger),
            None => query,
        }
    }

    pub(super) async fn start(&self) -> StreamingQuery {
        self.builder().start().await.unwrap()
    }

    /// Starts the query for days, without polling for a stop lock.
    pub(super) async fn start_for_good(&self) -> StreamingQuery {
        self.without_place().start().await.unwrap()
    }

    /// Starts the query, waits until it is caught up, and stops it.
    pub(super) async fn run(&self) {
        let query = self.start().await;
        query.process_all_available().await.unwrap();
        query.stop().await.unwrap();
    }

    /// Puts the next `count` numbers, a millisecond apart, under all keys in turn.
    pub(super) async fn put(&mut self, count: u64) {
        for number in self.written..self.written + count {
            let key = format!("k{}", number % KEYS);
            self.world.put("words", &key, number.to_string()).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.written += count;
    }

    /// Asserts that no row has arrived.
    pub(super) fn expect_nothing(&self) {
        assert_eq!(self.journal.rows(), []);
    }

    /// Asserts that each number from `first` on arrived exactly once, and those of a key in order.
    pub(super) fn expect_from(&self, first: u64) {
        let rows = self.journal.rows();
        let mut numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        numbers.sort_unstable();
        let expected: Vec<u64> = (first..self.written).collect();
        assert_eq!(numbers, expected);
        let mut last = BTreeMap::new();
        for row in &rows {
            let before = last.insert(&row.key, row.number);
            assert!(before < Some(row.number), "{row:?} comes behind {before:?}");
        }
    }

    /// Asserts that each number arrived exactly once, and those of a key in order.
    pub(super) fn expect_all(&self) {
        self.expect_from(0);
    }

    /// Asserts that all rows of `parent` arrived before the first of `child`, and that both had
    /// some.
    pub(super) fn expect_before(&self, parent: u32, child: u32) {
        let (rows, of) = (self.journal.rows(), |n| shard(n).as_str().to_owned());
        let last = rows.iter().rposition(|row| row.shard == of(parent));
        let first = rows.iter().position(|row| row.shard == of(child));
        let rows = format!("shard {parent}: {last:?}, shard {child}: {first:?}");
        assert!(last.is_some() && last < first, "{rows}");
    }

    /// Splits a shard in its middle.
    pub(super) async fn split(&self, number: u32) {
        let (stream, id, shards) = (words(), shard(number), self.shards().await);
        let found = shards.iter().find(|shard| shard.id == id).unwrap();
        let (start, end) = (found.hash_range.start.0, found.hash_range.end.0);
        let middle = HashKey(start + (end - start) / 2);
        let split = self.world.kinesis.split_shard(&stream, &id, middle);
        split.await.unwrap();
    }

    /// Merges two adjacent shards.
    pub(super) async fn merge(&self, first: u32, second: u32) {
        let (stream, pair) = (words(), [shard(first), shard(second)]);
        let merge = self.world.kinesis.merge_shards(&stream, &pair[0], &pair[1]);
        merge.await.unwrap();
    }

    /// The shards that are listed.
    pub(super) async fn shards(&self) -> Vec<Shard> {
        let from = ListShardsFrom::Start {
            stream: &words(),
            filter: ShardFilter::FromTrimHorizon,
        };
        self.world.kinesis.list_shards(from).await.unwrap().shards
    }
}

pub(super) fn words() -> StreamIdentity {
    StreamIdentity::parse("words").unwrap()
}

pub(super) fn shard(number: u32) -> ShardId {
    ShardId::new(format!("shardId-{number:012}"))
}

pub(super) async fn hours(count: u64) {
    tokio::time::sleep(Duration::from_secs(count * 3_600)).await;
}
