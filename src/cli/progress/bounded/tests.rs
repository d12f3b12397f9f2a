use super::*;
use datafusion::arrow::datatypes::Schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, PlanProperties};

/// A node that counts under a given name.
#[derive(Debug)]
struct Counting {
    name: &'static str,
    input: Arc<dyn ExecutionPlan>,
    metrics: ExecutionPlanMetricsSet,
}

impl Counting {
    /// Each entry of `partitions` gives the records, bytes and lag of a partition.
    fn over(
        input: Arc<dyn ExecutionPlan>,
        name: &'static str,
        partitions: &[(usize, usize, usize)],
    ) -> Arc<dyn ExecutionPlan> {
        let metrics = ExecutionPlanMetricsSet::new();
        for (partition, (records, bytes, lag)) in partitions.iter().enumerate() {
            let counter = |name| MetricBuilder::new(&metrics).counter(name, partition);
            counter(RECORDS).add(*records);
            counter(BYTES).add(*bytes);
            counter("calls").add(1);
            counter(LOSSES).add(*lag / 1_000);
            MetricBuilder::new(&metrics).gauge(LAG, partition).set(*lag);
        }
        Arc::new(Self {
            name,
            input,
            metrics,
        })
    }
}

impl DisplayAs for Counting {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl ExecutionPlan for Counting {
    fn name(&self) -> &str {
        self.name
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, n: usize, ctx: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(n, ctx)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

fn empty() -> Arc<dyn ExecutionPlan> {
    Arc::new(EmptyExec::new(Arc::new(Schema::empty())))
}

fn flow(records: u64, bytes: u64) -> Option<Flow> {
    Some(Flow { records, bytes })
}

fn line(read: Option<Flow>, written: Option<Flow>, millis_behind: u64) -> String {
    let now = Counters {
        read,
        written,
        millis_behind,
    };
    Snapshot::between(&Counters::default(), now, Duration::from_secs(2)).to_string()
}

#[test]
fn counters_are_summed_and_the_largest_lag_is_shown() {
    let source = Counting::over(empty(), READ_NODE, &[(3, 300, 10), (4, 400, 4200)]);
    let other = Counting::over(source, "FilterExec", &[(1000, 1000, 99_999)]);
    let sink = Counting::over(other, WRITE_NODE, &[(5, 50, 0)]);
    assert_eq!(total(sink.as_ref(), READ_NODE, LOSSES), 4);
    assert_eq!(
        Counters::of(sink.as_ref()),
        Counters {
            read: flow(7, 700),
            written: flow(5, 50),
            millis_behind: 4200,
        }
    );
}

#[test]
fn a_plan_without_kinesis_has_nothing_to_show() {
    let plan = Counting::over(empty(), "FilterExec", &[(1, 1, 1)]);
    assert_eq!(Counters::of(plan.as_ref()), Counters::default());
}

#[test]
fn a_read_shows_records_rate_and_lag() {
    assert_eq!(
        line(flow(1_234_567, 112_400_000), None, 4250),
        "reading  1,234,567 records  56.2 MB/s  4.2 s behind"
    );
    assert_eq!(
        line(flow(12, 600), None, 0),
        "reading  12 records  0.3 kB/s"
    );
}

#[test]
fn a_write_and_a_read_that_feeds_a_write_are_shown() {
    assert_eq!(
        line(None, flow(1000, 4_000_000), 0),
        "writing  1,000 records  2.0 MB/s"
    );
    assert_eq!(
        line(flow(10, 2000), flow(5, 1000), 1000),
        "reading  10 records  1.0 kB/s  1.0 s behind   writing  5 records  0.5 kB/s"
    );
}

#[tokio::test(start_paused = true)]
async fn the_rate_covers_only_its_window() {
    let mut progress = BoundedProgress::start();
    progress.watch(empty());
    let start = Instant::now();
    let mut rates = Vec::new();
    for (second, bytes) in [(1, 8000), (2, 9000), (3, 10_000), (4, 11_000)] {
        let counters = Counters {
            read: flow(1, bytes),
            ..Counters::default()
        };
        let snapshot = progress.sample(start + Duration::from_secs(second), counters);
        rates.push(snapshot.read_per_second);
    }
    assert_eq!(rates, [8000.0, 4500.0, 1000.0, 1000.0]);
}
