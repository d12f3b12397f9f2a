//! When a group is closed: its event time ends, and the watermark has come to that.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use crate::model::UnixMillis;
use crate::table::windows::HopWindow;

/// The end of a group's event time, out of its group columns.
#[derive(Debug, Clone)]
pub(super) struct Expiry {
    expr: Arc<dyn PhysicalExpr>,
    unit: TimeUnit,
    /// The group is a pane, and ends with the last window that it lies in.
    pane: Option<Pane>,
}

/// How panes lie in windows.
#[derive(Debug, Clone, Copy)]
struct Pane {
    slide: i64,
    size: i64,
}

impl Expiry {
    /// `expr` gives the end, as timestamps of `unit`.
    pub(super) fn new(expr: Arc<dyn PhysicalExpr>, unit: TimeUnit) -> Self {
        let pane = None;
        Self { expr, unit, pane }
    }

    /// The end of the last window that a pane of `hop` lies in.
    pub(super) fn of_panes(hop: &HopWindow, unit: TimeUnit) -> Self {
        Self {
            expr: Arc::new(Column::new("pane", hop.column)),
            unit,
            pane: Some(Pane {
                slide: hop.slide(),
                size: hop.size(),
            }),
        }
    }

    /// The end of each row, in the unit of the timestamps; the greatest number for a row that never
    /// ends because it has no event time.
    pub(super) fn ends(&self, rows: &RecordBatch) -> Result<Vec<i64>> {
        let ends = self.expr.evaluate(rows)?.into_array(rows.num_rows())?;
        let ends = cast(&ends, &DataType::Int64)?;
        let ends = ends.as_primitive::<Int64Type>();
        let end = |start: i64| match self.pane {
            Some(Pane { slide, size }) => start.div_euclid(slide) * slide + size,
            None => start,
        };
        if ends.null_count() == 0 {
            return Ok(ends.values().iter().map(|start| end(*start)).collect());
        }
        Ok(ends
            .iter()
            .map(|start| start.map_or(i64::MAX, end))
            .collect())
    }

    /// What ends here or before is closed by `watermark`.
    pub(super) fn limit(&self, watermark: UnixMillis) -> i64 {
        instant(watermark, self.unit)
    }
}

/// A time as timestamps of `unit` count it, rounded down.
pub(super) fn instant(time: UnixMillis, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => time.0.div_euclid(1_000),
        TimeUnit::Millisecond => time.0,
        TimeUnit::Microsecond => time.0.saturating_mul(1_000),
        TimeUnit::Nanosecond => time.0.saturating_mul(1_000_000),
    }
}

/// The time of an instant of `unit`, rounded down.
pub(super) fn millis(instant: i64, unit: TimeUnit) -> UnixMillis {
    UnixMillis(match unit {
        TimeUnit::Second => instant.saturating_mul(1_000),
        TimeUnit::Millisecond => instant,
        TimeUnit::Microsecond => instant.div_euclid(1_000),
        TimeUnit::Nanosecond => instant.div_euclid(1_000_000),
    })
}
