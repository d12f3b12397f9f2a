//! [`EventTimeExec`]: observes the event time of rows, and drops late rows.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array,
};
use datafusion::arrow::compute::{cast, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit, UInt32Type};
use datafusion::common::{Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;

use crate::model::UnixMillis;
use crate::state::batch::StateBatch;
use crate::state::memory::{instant, millis};
use crate::table::unary_node;

/// Records the largest event time of each shard, and drops rows whose groups are closed.
#[derive(Debug)]
pub(crate) struct EventTimeExec {
    input: Arc<dyn ExecutionPlan>,
    look: Arc<EventTimeExprs>,
}

/// The expressions that it evaluates.
#[derive(Debug)]
pub(crate) struct EventTimeExprs {
    time: Arc<dyn PhysicalExpr>,
    unit: TimeUnit,
    shard: Arc<dyn PhysicalExpr>,
    end: Option<Arc<dyn PhysicalExpr>>,
    /// The unit of `end`, which may differ from that of the time.
    end_unit: TimeUnit,
}

impl EventTimeExec {
    /// # Errors
    /// `time` or `end` is not a timestamp.
    pub(crate) fn try_new(
        input: Arc<dyn ExecutionPlan>,
        time: Arc<dyn PhysicalExpr>,
        shard: Arc<dyn PhysicalExpr>,
        end: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Self> {
        let schema = input.schema();
        let unit_of = |time: &Arc<dyn PhysicalExpr>| match time.data_type(&schema)? {
            DataType::Timestamp(unit, _) => Ok(unit),
            other => plan_err!(
                "the event time {time} is of type {other}: expected a timestamp, such as from \
                 to_timestamp(…)"
            ),
        };
        let unit = unit_of(&time)?;
        let end_unit = end.as_ref().map_or(Ok(unit), unit_of)?;
        let look = Arc::new(EventTimeExprs {
            time,
            unit,
            shard,
            end,
            end_unit,
        });
        Ok(Self { input, look })
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let look = Arc::clone(&self.look);
        Ok(Self { input, look })
    }

    fn expressions(&self) -> impl Iterator<Item = &Arc<dyn PhysicalExpr>> {
        let look = &self.look;
        [&look.time, &look.shard].into_iter().chain(&look.end)
    }
}

impl EventTimeExprs {
    /// `rows` without late rows.
    fn pass(&self, rows: RecordBatch, batch: &StateBatch) -> Result<RecordBatch> {
        let column =
            |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(&rows)?.into_array(rows.num_rows());
        let times = numbers(&column(&self.time)?)?;
        let shards = column(&self.shard)?;
        let on_time = match (&self.end, batch.times.watermark) {
            (Some(end), watermark) => self.on_time(&times, watermark, || numbers(&column(end)?))?,
            (None, _) => None,
        };
        self.note(&times, shards.as_primitive::<UInt32Type>(), batch);
        let Some(on_time) = on_time else {
            return Ok(rows);
        };
        let late = rows.num_rows() - on_time.true_count();
        batch.changes().late += late as u64;
        Ok(filter_record_batch(&rows, &on_time)?)
    }

    /// The rows that belong to an open group; `None` if all do.
    fn on_time(
        &self,
        times: &Int64Array,
        watermark: Option<UnixMillis>,
        ends: impl FnOnce() -> Result<Int64Array>,
    ) -> Result<Option<BooleanArray>> {
        let limit_in = |unit| watermark.map_or(i64::MIN, |watermark| instant(watermark, unit));
        let (limit, least) = (limit_in(self.unit), datafusion::arrow::compute::min(times));
        // A group ends after the time of its rows.
        if times.null_count() == 0 && least.is_none_or(|least| least > limit) {
            return Ok(None);
        }
        let (ends, limit) = (ends()?, limit_in(self.end_unit));
        let on_time = ends
            .iter()
            .map(|end| Some(end.is_some_and(|end| end > limit)));
        Ok(Some(on_time.collect()))
    }

    /// Records the latest time of each shard. Rows usually come shard by shard.
    fn note(&self, times: &Int64Array, shards: &UInt32Array, batch: &StateBatch) {
        let mut changes = batch.changes();
        let mut keep = |(shard, least, most): (u32, i64, i64)| {
            let (least, most) = (millis(least, self.unit), millis(most, self.unit));
            let known = changes.event_times.entry(shard).or_insert(most);
            *known = most.max(*known);
            changes.least = Some(changes.least.map_or(least, |before| before.min(least)));
        };
        let mut run: Option<(u32, i64, i64)> = None;
        for (time, shard) in times.iter().zip(shards.values()) {
            let Some(time) = time else {
                continue;
            };
            run = match run {
                Some((of, least, most)) if of == *shard => {
                    Some((of, least.min(time), most.max(time)))
                }
                before => {
                    before.into_iter().for_each(&mut keep);
                    Some((*shard, time, time))
                }
            };
        }
        run.into_iter().for_each(keep);
    }
}

/// Timestamps of any unit as numbers.
fn numbers(times: &ArrayRef) -> Result<Int64Array> {
    let numbers = cast(times, &DataType::Int64)?;
    Ok(numbers.as_primitive::<Int64Type>().clone())
}

impl DisplayAs for EventTimeExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventTimeExec: {}", self.look.time)
    }
}

impl ExecutionPlan for EventTimeExec {
    unary_node!("EventTimeExec", expressions = expressions);

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let batch = StateBatch::of(&context)?;
        let look = Arc::clone(&self.look);
        let rows = self.input.execute(partition, context)?;
        let rows = rows.and_then(move |rows| {
            let passed = look.pass(rows, &batch);
            async move { passed }
        });
        let schema = self.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
