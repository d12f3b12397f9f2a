//! Readers of a simulated stream, on paused time.

mod activity;
mod auto;
mod batches;
mod changed_retention;
mod clocks;
mod expired_records;
mod failures;
mod fan_out;
mod frozen_tip;
mod idle_siblings;
mod lag;
mod large;
mod lost_shards;
mod pushed_events;
mod read_to;
mod resharding;
mod scripted;
mod scripted_subscriptions;
mod slow_shards;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, advance, sleep, sleep_until};

use super::*;
use crate::aggregation::{AggregateBuilder, Opened, UserRecord, open};
use crate::kinesis::{
    InMemoryKinesis, InMemoryOptions, Kinesis, Operation, PutEntry, RecordColumns,
    RecordDistribution, TokioClock,
};
use crate::model::{Clock, HashKey, InitialPositions, SequenceNumber, StreamIdentity, StreamName};
use crate::options::{OptionsBuilder, SourceOptions};
use crate::source::{InFlightLimits, PageSlice, StreamRetention};

const START: UnixMillis = UnixMillis(1_700_000_000_250);

/// A stream, and how it is read.
struct Fixture {
    kinesis: Arc<InMemoryKinesis>,
    clock: Arc<TokioClock>,
    stream: StreamIdentity,
    options: SourceOptions,
    settings: StreamReaderSettings,
    /// The retention of the stream when it was described.
    retention: Duration,
    /// The size of the largest record it accepted then.
    max_record_bytes: usize,
    /// The number of its shards then.
    shards: usize,
}

impl Fixture {
    async fn with_shards(shards: u32) -> Self {
        Self::with(shards, InMemoryOptions::default()).await
    }

    async fn with(shards: u32, options: InMemoryOptions) -> Self {
        let clock = Arc::new(TokioClock::starting_at(START));
        let service_clock: Arc<dyn Clock> = Arc::<TokioClock>::clone(&clock);
        let kinesis = InMemoryKinesis::new(service_clock, options);
        let name = StreamName::new("words").unwrap();
        kinesis.create_stream(&name, shards).await.unwrap();
        let mut options = OptionsBuilder::default();
        options.set_location("words").unwrap();
        Self {
            kinesis: Arc::new(kinesis),
            clock,
            stream: StreamIdentity::named(name),
            options: options.finish().unwrap().source,
            settings: StreamReaderSettings {
                columns: RecordColumns::DATA_ONLY,
                created_at: START,
                distribution: RecordDistribution::PartitionKey,
                until: None,
                caps: true,
                subscribed: None,
                track_activity: false,
            },
            retention: Duration::from_secs(24 * 3_600),
            max_record_bytes: crate::kinesis::limits::DEFAULT_MAX_RECORD_BYTES,
            shards: 4,
        }
    }

    fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Puts a record; the first word of the text is its key.
    async fn put(&self, text: &str) {
        let key = text.split(' ').next().unwrap_or(text);
        self.put_bytes(key, Bytes::copy_from_slice(text.as_bytes()))
            .await;
    }

    async fn put_bytes(&self, key: &str, data: Bytes) {
        let entry = PutEntry {
            data,
            partition_key: key.into(),
            explicit_hash_key: None,
        };
        self.kinesis.put_record(&self.stream, &entry).await.unwrap();
    }

    /// Lets the stream accept records of up to 10 MiB.
    async fn accept_large_records(&mut self) {
        let largest = crate::kinesis::limits::LARGEST_MAX_RECORD_BYTES;
        let larger = self.kinesis.update_max_record_size(&self.stream, largest);
        larger.await.unwrap();
        self.max_record_bytes = largest;
    }

    /// Puts one aggregated record with these texts.
    async fn put_aggregate(&self, texts: &[String]) {
        let mut builder = AggregateBuilder::new(1 << 20);
        for text in texts {
            builder.try_push(&UserRecord {
                partition_key: "k",
                explicit_hash_key: None,
                data: text.as_bytes(),
            });
        }
        self.put_bytes("k", builder.finish()).await;
    }

    /// Splits shard 0, which has the whole hash range, into shards 1 and 2.
    async fn split_the_only_shard(&self) {
        let (parent, half) = (shard(0), HashKey(1 << 127));
        let split = self.kinesis.split_shard(&self.stream, &parent, half);
        split.await.unwrap();
    }

    async fn read(&self, from: StreamStart) -> StreamReader {
        let service: Arc<dyn Kinesis> = Arc::<InMemoryKinesis>::clone(&self.kinesis);
        self.read_through(service, from).await
    }

    async fn read_through(&self, kinesis: Arc<dyn Kinesis>, from: StreamStart) -> StreamReader {
        let random = fastrand::Rng::with_seed(7);
        StreamReader::start(self.context(kinesis), from, self.settings.clone(), random)
            .await
            .unwrap()
    }

    fn context(&self, kinesis: Arc<dyn Kinesis>) -> StreamContext {
        let mut options = OptionsBuilder::default();
        options.set_location("words").unwrap();
        StreamContext {
            kinesis,
            stream: self.stream.clone(),
            options: self.options.clone(),
            retry: options.finish().unwrap().retry,
            clock: Arc::<TokioClock>::clone(&self.clock),
            in_flight: Arc::new(InFlightLimits::new(
                self.shards,
                self.options.buffer_max_bytes,
            )),
            shards: self.shards,
            max_record_bytes: self.max_record_bytes,
            retention: Arc::new(StreamRetention::new(self.retention)),
        }
    }

    async fn read_all(&self) -> StreamReader {
        self.read(from_trim_horizon()).await
    }
}

fn from_trim_horizon() -> StreamStart {
    initial_at(ShardPosition::TrimHorizon)
}

fn initial_at(others: ShardPosition) -> StreamStart {
    StreamStart::Initial {
        start: InitialPositions {
            shards: Offsets::new(),
            others,
        },
        created_at: START,
        retention: None,
    }
}

/// After these positions; it is not known what had arrived when they were reached.
fn resume_at(offsets: Offsets) -> StreamStart {
    StreamStart::Resume {
        offsets,
        read_to: None,
        retention: None,
    }
}

fn shard(n: u32) -> ShardId {
    ShardId::new(format!("shardId-{n:012}"))
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("k {number}")).collect()
}

impl StreamReader {
    /// The next batch, when there is one; it is not released.
    async fn next(&self) -> StreamBatch {
        let fired = Instant::now();
        loop {
            match self.readiness(fired).unwrap() {
                Readiness::Ready => return self.take(),
                Readiness::NoData => self.changed().await,
                Readiness::WaitUntil(deadline) => {
                    tokio::select! {
                        () = sleep_until(deadline) => {}
                        () = self.changed() => {}
                    }
                }
            }
        }
    }

    /// The rows of the next batch, which is released.
    async fn next_rows(&self) -> Vec<String> {
        let batch = self.next().await;
        self.release(&batch.ranges.ends());
        rows_of(&batch)
    }

    /// At least `count` rows, from as many batches as needed.
    async fn rows(&self, count: usize) -> Vec<String> {
        let mut rows = Vec::new();
        while rows.len() < count {
            rows.extend(self.next_rows().await);
        }
        rows
    }
}

/// The buffered rows, shard by shard.
fn rows_of(batch: &StreamBatch) -> Vec<String> {
    let mut rows = Vec::new();
    for read in &batch.reads.reads {
        for slice in &batch.reads.buffered[&read.shard] {
            rows_of_slice(slice, &mut rows);
        }
    }
    assert_eq!(rows.len() as u64, batch.rows);
    rows
}

fn rows_of_slice(slice: &PageSlice, rows: &mut Vec<String>) {
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
    for record in slice.first.record..slice.page.len() {
        let data = slice.page.data().value(record);
        let users = match open(data) {
            Opened::Aggregate(users) => users.map(|user| text(user.data)).collect(),
            _ => vec![text(data)],
        };
        for (sub, user) in (0..).zip(users) {
            let index = crate::source::RowIndex { record, sub };
            if index >= slice.first && index < slice.end {
                rows.push(user);
            }
        }
    }
}
