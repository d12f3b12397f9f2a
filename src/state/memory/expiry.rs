//! [`Expiry`]: decides which watermark closes a group, and so when the group is evicted.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit};

use super::columns::{After, Ends};
use crate::model::UnixMillis;
use crate::sql::windows::{BinSize, Bins};

/// The end of a group's event time, computed from its group columns.
#[derive(Debug, Clone)]
pub(crate) struct Expiry {
    ends: Ends,
    /// The end; the start of the pane if groups are panes.
    expr: Arc<dyn PhysicalExpr>,
    unit: TimeUnit,
}

impl Expiry {
    /// The expiry of groups with the columns of `schema`.
    pub(crate) fn new(ends: Ends, schema: &Schema) -> Result<Self> {
        let field = schema.field(ends.column);
        let DataType::Timestamp(unit, _) = field.data_type() else {
            return internal_err!("group column '{}' is not a timestamp", field.name());
        };
        let start: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), ends.column));
        let expr = match &ends.after {
            After::Nothing | After::Months { .. } | After::Pane { .. } => start,
            // Computed without the calendar, which does not reach over the whole range of a timestamp.
            After::Interval {
                months: 0, days: 0, ..
            } => start,
            After::Interval {
                months,
                days,
                nanos,
            } => {
                let width = ScalarValue::new_interval_mdn(*months, *days, *nanos);
                Arc::new(BinaryExpr::new(start, Operator::Plus, lit(width)))
            }
        };
        let unit = *unit;
        Ok(Self { ends, expr, unit })
    }

    /// How groups end.
    pub(crate) fn ends_as(&self) -> &Ends {
        &self.ends
    }

    /// The end of each row, in the unit of the timestamps; the largest number for a row without an event
    /// time, which never ends.
    pub(crate) fn ends(&self, rows: &RecordBatch) -> Result<Vec<i64>> {
        let ends = self.expr.evaluate(rows)?.into_array(rows.num_rows())?;
        let ends = cast(&ends, &DataType::Int64)?;
        let ends = ends.as_primitive::<Int64Type>();
        // A window whose end is out of range never ends.
        let end_of = |size, origin, start| {
            let bins = Bins { size, origin };
            bins.end(start, self.unit).unwrap_or(i64::MAX)
        };
        let end = |start: i64| match self.ends.after {
            After::Pane { slide, size } => start.div_euclid(slide) * slide + size,
            After::Months { months, origin } => end_of(BinSize::Months(months), origin, start),
            After::Interval {
                months: 0,
                days: 0,
                nanos,
            } => end_of(BinSize::Nanos(nanos), 0, start),
            After::Nothing | After::Interval { .. } => start,
        };
        if ends.null_count() == 0 {
            return Ok(ends.values().iter().map(|start| end(*start)).collect());
        }
        Ok(ends
            .iter()
            .map(|start| start.map_or(i64::MAX, end))
            .collect())
    }

    /// The latest end that `watermark` closes.
    pub(crate) fn limit(&self, watermark: UnixMillis) -> i64 {
        instant(watermark, self.unit)
    }
}

/// A time in `unit`, rounded down.
pub(crate) fn instant(time: UnixMillis, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => time.0.div_euclid(1_000),
        TimeUnit::Millisecond => time.0,
        TimeUnit::Microsecond => time.0.saturating_mul(1_000),
        TimeUnit::Nanosecond => time.0.saturating_mul(1_000_000),
    }
}

/// The time of a timestamp in `unit`, rounded down.
pub(crate) fn millis(instant: i64, unit: TimeUnit) -> UnixMillis {
    UnixMillis(match unit {
        TimeUnit::Second => instant.saturating_mul(1_000),
        TimeUnit::Millisecond => instant,
        TimeUnit::Microsecond => instant.div_euclid(1_000),
        TimeUnit::Nanosecond => instant.div_euclid(1_000_000),
    })
}
