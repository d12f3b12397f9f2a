//! The event time of an aggregation's rows, and the group column whose end closes groups.

use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, lit};
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};

use crate::error::Error;
use crate::sql::windows::{BinSize, Bins, bin_end, date_bin};
use crate::state::memory::After;

/// The group column that closes groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpiryColumn {
    /// Its name.
    pub(crate) column: String,
    /// Its index among the group columns, and their number.
    pub(crate) index: usize,
    pub(crate) groups: usize,
    /// How long after the column's time the group ends. Windows that are merged compute their end themselves.
    pub(crate) after: After,
}

/// The event time of the rows of an aggregation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowTime {
    /// The event time of a row.
    pub(crate) time: Expr,
    /// The end of the last group that a row belongs to; `None` if groups do not end.
    pub(crate) end: Option<Expr>,
    pub(crate) closing: Option<ExpiryColumn>,
}

/// The event time of the rows that are grouped by `group_expr`: `column` if it is given, otherwise the first argument of
/// the window function. `None` if there is no window.
///
/// # Errors
/// The size of a window is not an interval.
pub(crate) fn row_time(group_expr: &[Expr], column: Option<&Column>) -> Result<Option<RowTime>> {
    let is_it = |time: &Expr| match (time, column) {
        (_, None) => true,
        (Expr::Column(time), Some(column)) => time.name == column.name,
        _ => false,
    };
    let mut found = None;
    for index in 0..group_expr.len() {
        let window = window(group_expr, index)?;
        found = found.or(window.filter(|window| is_it(&window.time)));
    }
    let alone = || {
        let column = column?;
        let index = group_expr.iter().position(|group| {
            matches!(group.clone().unalias(), Expr::Column(group) if group.name == column.name)
        });
        let time = Expr::Column(column.clone());
        let closing = |index| ExpiryColumn {
            column: column.name.clone(),
            index,
            groups: group_expr.len(),
            after: After::Nothing,
        };
        Some(RowTime {
            end: index.map(|_| time.clone()),
            closing: index.map(closing),
            time,
        })
    };
    Ok(found.or_else(alone))
}

/// The window of the group expression at `index`; `None` if it is not a window.
fn window(group_expr: &[Expr], index: usize) -> Result<Option<RowTime>> {
    let group = &group_expr[index];
    let inner = group.clone().unalias();
    let Expr::ScalarFunction(ScalarFunction { func, args }) = &inner else {
        return Ok(None);
    };
    let (time, end, after) = match (func.name(), args.as_slice()) {
        ("date_bin", [size, time, origin @ ..]) => {
            let (size, origin) = (constant(size), origin.first().map(constant));
            let (Some(size), None | Some(Some(_))) = (size, &origin) else {
                return Ok(None);
            };
            let origin = origin.flatten();
            let bins = Bins::of(&size, origin.as_ref())?;
            let mut arguments = vec![inner.clone(), lit(size)];
            arguments.extend(origin.map(lit));
            (time, bin_end().call(arguments), after(bins))
        }
        ("date_trunc", [unit, time]) => {
            let Some((months, days, nanos)) = unit_width(unit) else {
                return Ok(None);
            };
            let width = ScalarValue::new_interval_mdn(months, days, nanos);
            let after = After::Interval {
                months,
                days,
                nanos,
            };
            (time, inner.clone() + lit(width), after)
        }
        ("hop", [time, slide, size]) => {
            let last = date_bin().call(vec![slide.clone(), time.clone()]);
            let end = bin_end().call(vec![last, size.clone()]);
            (time, end, After::Nothing)
        }
        ("session_start", [time, gap]) => {
            let end = bin_end().call(vec![time.clone(), gap.clone()]);
            (time, end, After::Nothing)
        }
        _ => return Ok(None),
    };
    let column = match group {
        Expr::Alias(alias) => alias.name.clone(),
        group => group.schema_name().to_string(),
    };
    Ok(Some(RowTime {
        time: time.clone(),
        end: Some(end),
        closing: Some(ExpiryColumn {
            column,
            index,
            groups: group_expr.len(),
            after,
        }),
    }))
}

/// The width of the windows of `date_bin`.
fn after(bins: Bins) -> After {
    let origin = bins.origin;
    match bins.size {
        BinSize::Months(months) => After::Months { months, origin },
        BinSize::Nanos(nanos) => After::Interval {
            months: 0,
            days: 0,
            nanos,
        },
    }
}

/// The value of a constant expression; `None` if it has columns or is volatile.
fn constant(expr: &Expr) -> Option<ScalarValue> {
    let simplifier = ExprSimplifier::new(SimplifyContext::default());
    match simplifier.simplify(expr.clone()).ok()? {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// The width of the unit of `date_trunc`.
fn unit_width(unit: &Expr) -> Option<(i32, i32, i64)> {
    let Expr::Literal(unit, _) = unit else {
        return None;
    };
    let unit = unit.try_as_str().flatten()?.to_ascii_lowercase();
    const SECOND: i64 = 1_000_000_000;
    Some(match unit.as_str() {
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
    })
}

/// Refuses output mode 'append' for groups that are never closed.
///
/// # Errors
/// Always; names the alternatives.
pub(crate) fn never_closed(watermark: bool) -> Result<()> {
    let what = match watermark {
        false => "without a watermark no group is ever complete",
        true => "no group has a time that the watermark could pass",
    };
    Err(Error::unsupported(format!(
        "GROUP BY in output mode 'append' outputs a group when it is complete, and {what}: SET \
         streaming.watermark_delay = '10 seconds' and group by tumble(…), hop(…), session(…) or \
         date_bin(…) of the event time; or SET streaming.output_mode = 'update' (the groups that have \
         changed, after each batch) or 'complete' (all groups, after each batch)"
    ))
    .into())
}
