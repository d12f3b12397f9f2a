//! A simulated shard with seeded records, and ways to read it.

use std::collections::HashMap;
use std::time::Duration;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use super::*;
use crate::aggregation::{AggregateBuilder, UserRecord};
use crate::kinesis::limits::{DEFAULT_MAX_RECORD_BYTES, LARGEST_MAX_RECORD_BYTES};
use crate::kinesis::{
    InMemoryKinesis, InMemoryOptions, Kinesis, PutEntry, TokioClock, TrimmedPosition,
};
use crate::model::{
    Clock, HashKey, RetryPolicy, SequenceNumber, ShardId, StreamIdentity, StreamName,
};
use crate::options::ExtraColumn;
use crate::source::read::RowReader;
use crate::source::{BatchReads, InFlightLimits, PageSlice, SCAN_PAGES_BYTES, StreamRetention};

/// Some moment in 2023.
pub(crate) const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

pub(crate) const SHARD: &str = "shardId-000000000000";

/// A row of a full read.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) sequence: SequenceNumber,
    pub(crate) sub: u64,
    /// Whether it is the last of its Kinesis record.
    pub(crate) is_last: bool,
    pub(crate) text: String,
}

impl Row {
    /// The position after the row.
    pub(crate) fn position(&self) -> ShardPosition {
        ShardPosition::After {
            sequence: self.sequence.clone(),
            sub_sequence: (!self.is_last).then_some(self.sub),
        }
    }
}

pub(crate) struct Fixture {
    pub(crate) kinesis: Arc<InMemoryKinesis>,
    pub(crate) stream: StreamIdentity,
    pub(crate) context: StreamContext,
}

pub(crate) fn at(position: ShardPosition) -> Until {
    Until::Position(position)
}

pub(crate) fn read(start: ShardPosition, until: Until) -> ShardRead {
    ShardRead {
        shard: ShardId::new(SHARD),
        hash_range: None,
        start,
        until,
        limit: None,
        rows: None,
        number: 0,
    }
}

impl Fixture {
    pub(crate) async fn with_records(seed: u64, count: usize, shape: Shape) -> Self {
        let options = InMemoryOptions {
            seed,
            ..InMemoryOptions::default()
        };
        Self::with(options, count, shape).await
    }

    /// An empty shard whose expired positions behave in this way.
    pub(crate) async fn with_trimmed_positions(mode: TrimmedPosition, shape: Shape) -> Self {
        let options = InMemoryOptions {
            trimmed_positions: mode,
            ..InMemoryOptions::default()
        };
        Self::with(options, 0, shape).await
    }

    async fn with(options: InMemoryOptions, count: usize, shape: Shape) -> Self {
        let seed = options.seed;
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(EPOCH));
        let kinesis = Arc::new(InMemoryKinesis::new(Arc::clone(&clock), options));
        let name = StreamName::new("words").unwrap();
        kinesis.create_stream(&name, 1).await.unwrap();
        let stream = StreamIdentity::named(name);
        let context = StreamContext {
            kinesis: Arc::<InMemoryKinesis>::clone(&kinesis),
            stream: stream.clone(),
            options: shape.options,
            retry: RetryPolicy {
                max_retries: 1_000,
                first_interval: Duration::from_millis(100),
                max_interval: Duration::from_secs(1),
            },
            clock,
            in_flight: Arc::new(InFlightLimits::new(1, SCAN_PAGES_BYTES)),
            shards: 1,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            retention: Arc::new(StreamRetention::new(Duration::from_secs(24 * 3_600))),
        };
        let fixture = Self {
            kinesis,
            stream,
            context,
        };
        let mut random = fastrand::Rng::with_seed(seed);
        for record in 0..count {
            let data = if shape.aggregated && random.bool() {
                aggregate(record, &mut random)
            } else {
                record.to_string().into_bytes()
            };
            fixture.put(data).await;
        }
        fixture
    }

    pub(crate) async fn put(&self, data: Vec<u8>) {
        let entry = PutEntry {
            data: data.into(),
            partition_key: "key".into(),
            explicit_hash_key: None,
        };
        self.kinesis.put_record(&self.stream, &entry).await.unwrap();
    }

    /// Tells the reader that the stream accepts records of up to 10 MiB.
    pub(crate) fn expect_large_records(&mut self) {
        self.context.max_record_bytes = LARGEST_MAX_RECORD_BYTES;
    }

    /// Closes the shard by splitting it.
    pub(crate) async fn close(&self) {
        let shard = ShardId::new(SHARD);
        let middle = HashKey(u128::MAX / 2);
        let split = self.kinesis.split_shard(&self.stream, &shard, middle);
        split.await.unwrap();
    }

    pub(crate) fn calls(&self) -> u64 {
        let calls = |operation| self.kinesis.calls(operation);
        calls(Operation::GetRecords) + calls(Operation::GetShardIterator)
    }

    /// The rows of a read, and its counters.
    async fn try_read(
        &self,
        context: ReadContext,
        read: ShardRead,
    ) -> (Result<Vec<Row>>, ReadCounters) {
        let columns: Vec<RowColumn> = RowColumn::STANDARD
            .into_iter()
            .chain(ExtraColumn::ALL.map(RowColumn::Extra))
            .collect();
        let counters = ReadCounters::new(&ExecutionPlanMetricsSet::new(), 0);
        let random = fastrand::Rng::with_seed(1);
        let context = Arc::new(context);
        let mut reader = RowReader::new(context, read, &columns, counters.clone(), random);
        let mut rows = Vec::new();
        let outcome = loop {
            match reader.next_batch().await {
                Ok(Some(batch)) => append(&mut rows, &batch),
                Ok(None) => break Ok(rows),
                Err(error) => break Err(error),
            }
        };
        (outcome, counters)
    }

    pub(crate) async fn rows(&self, read: ShardRead) -> Result<Vec<String>> {
        let (rows, _) = self
            .try_read(ReadContext::new(self.context.clone()), read)
            .await;
        rows.map(|rows| texts(&rows))
    }

    /// The rows that are left of a range, and the number of lost ranges.
    pub(crate) async fn remaining_rows(&self, read: ShardRead) -> (Vec<String>, usize) {
        let (rows, counters) = self
            .try_read(ReadContext::new(self.context.clone()), read)
            .await;
        (texts(&rows.unwrap()), counters.lost_ranges.value())
    }

    pub(crate) async fn all_rows(&self) -> Vec<Row> {
        let now = self.context.clock.now();
        let read = read(ShardPosition::TrimHorizon, Until::Tip(now));
        let (rows, _) = self
            .try_read(ReadContext::new(self.context.clone()), read)
            .await;
        rows.unwrap()
    }

    pub(crate) async fn last_position(&self) -> ShardPosition {
        self.all_rows().await.last().unwrap().position()
    }

    /// The rows of slices in memory, and the counters.
    pub(crate) async fn buffered_rows(
        &self,
        read: ShardRead,
        slices: Vec<PageSlice>,
    ) -> (Vec<String>, ReadCounters) {
        let batch = BatchReads {
            reads: vec![read.clone()],
            buffered: HashMap::from([(read.shard.clone(), slices)]),
        };
        let context = ReadContext::for_batch(self.context.clone(), Arc::new(batch));
        let (rows, counters) = self.try_read(context, read).await;
        (texts(&rows.unwrap()), counters)
    }
}

/// Some user records with keys from the whole hash range.
fn aggregate(record: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut builder = AggregateBuilder::new(1 << 20);
    for sub in 0..random.usize(1..7) {
        builder.try_push(&UserRecord {
            partition_key: "key",
            explicit_hash_key: Some(HashKey(random.u128(..))),
            data: format!("{record}.{sub}").as_bytes(),
        });
    }
    builder.finish().to_vec()
}

fn append(rows: &mut Vec<Row>, batch: &RecordBatch) {
    let column = |name| batch.column_by_name(name).unwrap();
    let data = column("data").as_binary::<i32>();
    let numbers = column("sequenceNumber").as_string::<i32>();
    let subs = column("subSequenceNumber").as_primitive::<Int64Type>();
    for row in 0..batch.num_rows() {
        let sequence = SequenceNumber::new(numbers.value(row)).unwrap();
        if let Some(last) = rows.last_mut().filter(|last| last.sequence == sequence) {
            last.is_last = false;
        }
        let (sub, text) = (subs.value(row), String::from_utf8_lossy(data.value(row)));
        rows.push(Row {
            text: format!("{sequence}/{sub}: {text}"),
            sequence,
            sub: u64::try_from(sub).unwrap(),
            is_last: true,
        });
    }
}
