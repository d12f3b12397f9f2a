//! Which of the groups of an aggregation are about a piece of time, and so are closed by a watermark.

use datafusion::common::{Column, Result, ScalarValue, internal_err};
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, lit};

use super::described::After;
use crate::error::Error;

/// How the groups of an aggregation are closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closing {
    /// The group column that is a time.
    pub(crate) column: String,
    /// Which of the group columns it is, and how many there are.
    pub(crate) place: usize,
    pub(crate) groups: usize,
    /// How long the time is that begins there; none where it is a point in time, or where windows are
    /// merged and have a width of their own.
    pub(crate) width: Option<ScalarValue>,
}

impl Closing {
    /// How long the time goes on behind what the column says.
    pub(super) fn after(&self) -> Result<After> {
        let (months, days, nanos) = match &self.width {
            None => return Ok(After::Nothing),
            Some(ScalarValue::IntervalYearMonth(Some(months))) => (*months, 0, 0),
            Some(ScalarValue::IntervalDayTime(Some(time))) => {
                (0, time.days, i64::from(time.milliseconds) * 1_000_000)
            }
            Some(ScalarValue::IntervalMonthDayNano(Some(time))) => {
                (time.months, time.days, time.nanoseconds)
            }
            Some(other) => return internal_err!("a window is as long as {other:?}"),
        };
        Ok(After::Interval {
            months,
            days,
            nanos,
        })
    }
}

/// The time of the rows of an aggregation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RowTime {
    /// When a row happened.
    pub(super) time: Expr,
    /// When the last group it belongs to ends; none where groups do not.
    pub(super) end: Option<Expr>,
    pub(super) closing: Option<Closing>,
}

/// The time of the rows that are grouped by `group_expr`, which is `column` where that is told, and that
/// of a window otherwise. `None` where there is no window.
pub(super) fn row_time(group_expr: &[Expr], column: Option<&Column>) -> Option<RowTime> {
    let is_it = |time: &Expr| match (time, column) {
        (_, None) => true,
        (Expr::Column(time), Some(column)) => time.name == column.name,
        _ => false,
    };
    let mut windows = (0..group_expr.len()).filter_map(|place| window(group_expr, place));
    let found = windows.find(|found| is_it(&found.time));
    let alone = || {
        let column = column?;
        let place = group_expr.iter().position(|group| {
            matches!(group.clone().unalias(), Expr::Column(group) if group.name == column.name)
        });
        let time = Expr::Column(column.clone());
        let closing = |place| Closing {
            column: column.name.clone(),
            place,
            groups: group_expr.len(),
            width: None,
        };
        Some(RowTime {
            end: place.map(|_| time.clone()),
            closing: place.map(closing),
            time,
        })
    };
    found.or_else(alone)
}

/// The window that the group expression at `place` is.
fn window(group_expr: &[Expr], place: usize) -> Option<RowTime> {
    let group = &group_expr[place];
    let inner = group.clone().unalias();
    let Expr::ScalarFunction(ScalarFunction { func, args }) = &inner else {
        return None;
    };
    let (time, end, width) = match (func.name(), args.as_slice()) {
        ("date_bin", [width, time] | [width, time, _]) => {
            let width = interval(width)?;
            (time, inner.clone() + lit(width.clone()), Some(width))
        }
        ("date_trunc", [unit, time]) => {
            let width = unit_width(unit)?;
            (time, inner.clone() + lit(width.clone()), Some(width))
        }
        ("hop", [time, slide, size]) => {
            let last = date_bin().call(vec![slide.clone(), time.clone()]);
            (time, last + size.clone(), None)
        }
        ("session_start", [time, gap]) => (time, time.clone() + gap.clone(), None),
        _ => return None,
    };
    let column = match group {
        Expr::Alias(alias) => alias.name.clone(),
        group => group.schema_name().to_string(),
    };
    Some(RowTime {
        time: time.clone(),
        end: Some(end),
        closing: Some(Closing {
            column,
            place,
            groups: group_expr.len(),
            width,
        }),
    })
}

fn interval(expr: &Expr) -> Option<ScalarValue> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    let is_interval = matches!(
        value,
        ScalarValue::IntervalMonthDayNano(Some(_))
            | ScalarValue::IntervalDayTime(Some(_))
            | ScalarValue::IntervalYearMonth(Some(_))
    );
    is_interval.then(|| value.clone())
}

/// How long what `date_trunc` gives is.
fn unit_width(unit: &Expr) -> Option<ScalarValue> {
    let Expr::Literal(unit, _) = unit else {
        return None;
    };
    let unit = unit.try_as_str().flatten()?.to_ascii_lowercase();
    const SECOND: i64 = 1_000_000_000;
    let (months, days, nanos) = match unit.as_str() {
        "year" => (12, 0, 0),
        "quarter" => (3, 0, 0),
        "month" => (1, 0, 0),
        "week" => (0, 7, 0),
        "day" => (0, 1, 0),
        "hour" => (0, 0, 3_600 * SECOND),
        "minute" => (0, 0, 60 * SECOND),
        "second" => (0, 0, SECOND),
        "millisecond" => (0, 0, SECOND / 1_000),
        "microsecond" => (0, 0, SECOND / 1_000_000),
        _ => return None,
    };
    Some(ScalarValue::new_interval_mdn(months, days, nanos))
}

/// Refuses output mode 'append' for groups that are never closed.
///
/// # Errors
/// Always, with the ways out.
pub(super) fn never_closed(watermark: bool) -> Result<()> {
    let what = match watermark {
        false => "without a watermark no group is ever finished",
        true => "no group is about a time that the watermark could pass",
    };
    Err(Error::unsupported(format!(
        "GROUP BY in output mode 'append' gives a group when it is finished, and {what}: SET \
         streaming.watermark_delay = '10 seconds' and group by tumble(…), hop(…), session(…) or \
         date_bin(…) of the rows' time; or SET streaming.output_mode = 'update' (the groups that have \
         changed, after each batch) or 'complete' (all groups, after each batch)"
    ))
    .into())
}
