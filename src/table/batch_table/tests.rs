use std::time::Duration;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::UInt32Type;
use datafusion::logical_expr::TableProviderFilterPushDown;
use datafusion::physical_plan::{collect, displayable, execute_stream_partitioned};
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};
use futures::TryStreamExt;

use super::*;
use crate::kinesis::{
    InMemoryKinesis, InMemoryOptions, IteratorPosition, Kinesis, ListShardsFrom, Operation,
    PutEntry, RecordColumns, ShardFilter, TokioClock,
};
use crate::model::{Clock, ShardId, ShardPosition, StreamIdentity, StreamName, UnixMillis};
use crate::source::{RowIndex, Until};
use crate::table::{Services, in_source_order};

/// A stream with ten records in each shard, and a table of it.
struct Fixture {
    kinesis: Arc<InMemoryKinesis>,
    table: KinesisTable,
    ctx: SessionContext,
    shards: usize,
}

impl Fixture {
    async fn new(shards: u32) -> Self {
        let clock: Arc<dyn Clock> =
            Arc::new(TokioClock::starting_at(UnixMillis(1_700_000_000_000)));
        let kinesis = InMemoryKinesis::new(Arc::clone(&clock), InMemoryOptions::default());
        let kinesis = Arc::new(kinesis);
        let name = StreamName::new("words").unwrap();
        kinesis.create_stream(&name, shards).await.unwrap();
        let service: Arc<dyn Kinesis> = Arc::<InMemoryKinesis>::clone(&kinesis);
        let table = KinesisTable::builder("words")
            .with_services(Arc::new(Services::fixed(service).with_clock(clock)))
            .with_option("kinesis.extraColumns", "shardId")
            .with_seed(1);
        let table = table.build().await.unwrap();
        let config = SessionConfig::new().with_target_partitions(3);
        let shards = shards as usize;
        let fixture = Self {
            kinesis,
            table,
            ctx: SessionContext::new_with_config(config),
            shards,
        };
        fixture.put(10).await;
        fixture
    }

    /// Puts `records` records into each shard.
    async fn put(&self, records: usize) {
        let stream = StreamIdentity::parse("words").unwrap();
        let shards = self.kinesis.list_shards(ListShardsFrom::Start {
            stream: &stream,
            filter: ShardFilter::FromTrimHorizon,
        });
        for shard in shards.await.unwrap().shards {
            let entry = |record: usize| PutEntry {
                data: format!("{} {record:02}", shard.id).into_bytes().into(),
                partition_key: "k".into(),
                explicit_hash_key: Some(shard.hash_range.start),
            };
            let entries: Vec<_> = (0..records).map(entry).collect();
            for outcome in self.kinesis.put_records(&stream, &entries).await.unwrap() {
                outcome.unwrap();
            }
        }
    }

    /// Reads of the first six records of each shard; those of the `buffered` shards are in memory.
    async fn reads(&self, buffered: impl Fn(usize) -> bool) -> Arc<BatchReads> {
        let stream = StreamIdentity::parse("words").unwrap();
        let start = IteratorPosition::TrimHorizon;
        let mut batch = BatchReads::default();
        for number in 0..self.shards {
            let shard = ShardId::new(format!("shardId-{number:012}"));
            let iterator = self.kinesis.get_shard_iterator(&stream, &shard, &start);
            let iterator = iterator.await.unwrap();
            let columns = RecordColumns::ALL;
            let page = self.kinesis.get_records(&stream, &iterator, 6, columns);
            let page = page.await.unwrap();
            batch.reads.push(ShardRead {
                shard: shard.clone(),
                hash_range: None,
                start: ShardPosition::TrimHorizon,
                until: Until::Position(ShardPosition::After {
                    sequence: page.last_sequence().unwrap().clone(),
                    sub_sequence: None,
                }),
                limit: None,
                rows: Some(6),
                number: 0,
            });
            if buffered(number) {
                let cuts = [(0, 2), (2, 6)].map(|(first, end)| PageSlice {
                    page: page.clone(),
                    first: RowIndex {
                        record: first,
                        sub: 0,
                    },
                    end: RowIndex {
                        record: end,
                        sub: 0,
                    },
                    checked: false,
                });
                batch.buffered.insert(shard, cuts.to_vec());
            }
        }
        Arc::new(batch)
    }

    async fn plan(&self, reads: Arc<BatchReads>) -> Arc<dyn ExecutionPlan> {
        let table = BatchTable::new(&self.table, reads);
        let state = self.ctx.state();
        table.scan(&state, None, &[], Some(1)).await.unwrap()
    }
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let data = batch.column_by_name("data").unwrap().as_binary::<i32>();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    data.iter().map(text).collect()
}

fn expected(shards: usize) -> Vec<String> {
    let of = |shard| (0..6).map(move |record| format!("shardId-{shard:012} {record:02}"));
    (0..shards).flat_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn buffered_ranges_share_partitions_and_fetched_ranges_do_not() {
    let fixture = Fixture::new(10).await;
    let reads = fixture.reads(|shard| shard != 4 && shard != 7).await;
    let plan = fixture.plan(reads).await;
    let text = displayable(plan.as_ref()).one_line().to_string();
    assert!(
        text.contains("shards=10, partitions=5, columns=[data,"),
        "{text}"
    );
    let fetches = fixture.kinesis.calls(Operation::GetRecords);
    let partitions = execute_stream_partitioned(Arc::clone(&plan), fixture.ctx.task_ctx()).unwrap();
    let mut rows = Vec::new();
    let mut sizes = Vec::new();
    for partition in partitions {
        let batches: Vec<RecordBatch> = partition.try_collect().await.unwrap();
        let texts: Vec<String> = batches.iter().flat_map(texts).collect();
        assert!(texts.is_sorted(), "shards and their rows keep their order");
        sizes.push(texts.len());
        rows.extend(texts);
    }
    assert_eq!(sizes, [18, 18, 12, 6, 6]);
    rows.sort_unstable();
    assert_eq!(rows, expected(10));
    assert_eq!(fixture.kinesis.calls(Operation::GetRecords) - fetches, 2);
    let metrics = plan.metrics().unwrap();
    let sum = |name| metrics.sum_by_name(name).unwrap().as_usize();
    let sums = ["records", "buffered_records", "calls"].map(sum);
    assert_eq!(sums, [60, 48, 2]);
    assert_eq!(metrics.output_rows(), Some(60));
    // "shardId-000000000000 00" and "k".
    assert_eq!(sum("bytes"), 60 * 24);
}

#[tokio::test(start_paused = true)]
async fn later_records_filters_and_limits_do_not_change_the_batch() {
    let fixture = Fixture::new(2).await;
    let reads = fixture.reads(|shard| shard == 0).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    fixture.put(5).await;
    let rows = collect(
        fixture.plan(Arc::clone(&reads)).await,
        fixture.ctx.task_ctx(),
    );
    assert_eq!(rows.await.unwrap().iter().flat_map(texts).count(), 12);
    let table = Arc::new(BatchTable::new(&fixture.table, reads));
    let filter = col("\"shardId\"").eq(lit("shardId-000000000001"));
    let support = table.supports_filters_pushdown(&[&filter]).unwrap();
    assert_eq!(support, [TableProviderFilterPushDown::Unsupported]);
    fixture.ctx.register_table("batch", table).unwrap();
    let query = "SELECT data FROM batch WHERE \"approximateArrivalTimestamp\" < now() \
                 AND \"shardId\" = 'shardId-000000000001'";
    let count = async |query: String| {
        let frame = fixture.ctx.sql(&query).await.unwrap();
        frame.count().await.unwrap()
    };
    assert_eq!(count(query.to_owned()).await, 6);
    assert_eq!(count(format!("{query} LIMIT 4")).await, 4);
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_has_no_read_node() {
    let fixture = Fixture::new(1).await;
    let plan = fixture.plan(Arc::default()).await;
    assert_eq!(plan.name(), "EmptyExec");
    assert_eq!(plan.schema(), fixture.table.schema());
}

#[test]
fn groups_are_balanced_and_keep_the_order() {
    let groups = |sizes: &[usize], most| balanced(sizes.iter().copied(), most);
    assert_eq!(groups(&[1, 9, 5, 4, 1], 2), [vec![0, 1], vec![2, 3, 4]]);
    assert_eq!(groups(&[0, 0, 0, 0], 2), [[0, 2], [1, 3]]);
    assert_eq!(groups(&[7, 7], 5), [[0], [1]]);
    assert_eq!(groups(&[3, 2, 1], 0), [[0, 1, 2]]);
    assert_eq!(groups(&[], 4), Vec::<Vec<usize>>::new());
    let mut random = fastrand::Rng::with_seed(1);
    let sizes: Vec<usize> = (0..10_000).map(|_| random.usize(..1_000)).collect();
    let groups = balanced(sizes.iter().copied(), 16);
    let sums = groups
        .iter()
        .map(|group| group.iter().map(|place| sizes[*place]).sum());
    let sums: Vec<usize> = sums.collect();
    let (least, most) = (sums.iter().min().unwrap(), sums.iter().max().unwrap());
    assert!(most - least < 1_000, "{sums:?}");
}

/// Plans over a batch of one buffered shard, before and after `in_source_order`.
#[tokio::test(start_paused = true)]
async fn rows_of_a_shard_do_not_overtake_each_other() {
    let fixture = Fixture::new(1).await;
    let batch = BatchTable::new(&fixture.table, fixture.reads(|_| true).await);
    fixture
        .ctx
        .register_table("batch", Arc::new(batch))
        .unwrap();
    let fixed = "CREATE TABLE fixed AS VALUES ('k')";
    fixture
        .ctx
        .sql(fixed)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let target = "CREATE TABLE target AS SELECT 'k' AS key";
    fixture
        .ctx
        .sql(target)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let upper = "SELECT upper(\"partitionKey\") AS key FROM batch WHERE \"partitionKey\" > 'a'";
    for text in [
        upper,
        &format!("{upper} UNION ALL {upper}"),
        &format!("{upper} AND \"partitionKey\" IN (SELECT column1 FROM fixed)"),
        &format!("INSERT INTO target {upper}"),
    ] {
        let frame = fixture.ctx.sql(text).await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        let is_repartitioned = |plan: &Arc<dyn ExecutionPlan>| {
            let shown = displayable(&**plan).indent(false).to_string();
            // The static side of a join may be repartitioned.
            let read = shown.split("KinesisReadExec").next().unwrap();
            read.contains("RoundRobin")
        };
        assert!(is_repartitioned(&plan), "{text}");
        let plan = in_source_order(plan).unwrap();
        assert!(
            !is_repartitioned(&plan),
            "{}",
            displayable(&*plan).indent(false)
        );
        let rows = collect(plan, fixture.ctx.task_ctx()).await.unwrap();
        assert!(rows.iter().any(|batch| batch.num_rows() > 0), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_shard_numbers_adds_the_number_of_the_read() {
    let fixture = Fixture::new(4).await;
    let reads = fixture.reads(|shard| shard % 2 == 0).await;
    let mut reads = Arc::try_unwrap(reads).unwrap();
    assert_eq!(reads.number_from(7), 11);
    let table = BatchTable::new(&fixture.table, Arc::new(reads)).with_shard_numbers();
    let schema = table.schema();
    let (number, others) = schema.fields().split_last().unwrap();
    assert_eq!(
        (number.name().as_str(), number.is_nullable()),
        ("__shard", false)
    );
    assert_eq!(others, fixture.table.schema().fields().as_ref());
    let state = fixture.ctx.state();
    let indices = vec![schema.fields().len() - 1, 0];
    for (projection, number, data) in [(None, schema.fields().len() - 1, 0), (Some(&indices), 0, 1)]
    {
        let plan = table.scan(&state, projection, &[], None).await.unwrap();
        let batches = collect(plan, fixture.ctx.task_ctx()).await.unwrap();
        let mut rows = 0;
        for batch in &batches {
            let numbers = batch.column(number).as_primitive::<UInt32Type>();
            let data = batch.column(data).as_binary::<i32>();
            for row in 0..batch.num_rows() {
                let shard = format!("shardId-{:012} ", numbers.value(row) - 7);
                assert!(data.value(row).starts_with(shard.as_bytes()));
                rows += 1;
            }
        }
        assert_eq!(rows, 24);
    }
}
