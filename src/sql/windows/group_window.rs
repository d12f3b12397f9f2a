//! Finds the group columns of an aggregation that are a window.

use std::sync::Arc;

use datafusion::arrow::datatypes::{
    DataType, IntervalDayTimeType, IntervalMonthDayNanoType, Schema, TimeUnit,
};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::aggregates::PhysicalGroupBy;

use super::functions::{WindowFunction, WindowKind};
use super::hop::HopWindow;
use super::session::SessionWindow;
use super::time_steps::{Step, step_of};
use super::tumble::refuse_sizes;
use crate::error::Error;

/// The window among the group columns of an aggregation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupWindow {
    /// One group column is the start of a hopping window.
    Hop(HopWindow),
    /// Two group columns are the start and end of a session.
    Session(SessionWindow),
}

/// A group column that is a window function.
struct Call<'a> {
    column: usize,
    kind: WindowKind,
    expr: &'a ScalarFunctionExpr,
}

/// Finds the window among the group columns of a Partial aggregation over `input`. Returns it with the group
/// columns that the Partial step has to use instead: panes for `hop`, row times for `session`. `None` if no
/// group column is such a window.
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported) or [`InvalidOption`](crate::ErrorKind::InvalidOption)
/// for windows that cannot be computed.
pub(crate) fn windowed(
    group_by: &PhysicalGroupBy,
    input: &Schema,
) -> Result<Option<(GroupWindow, PhysicalGroupBy)>> {
    refuse_sizes(group_by)?;
    let calls = calls(group_by);
    if calls.is_empty() {
        return Ok(None);
    }
    if group_by.has_grouping_set() {
        return Err(Error::unsupported(
            "a window in GROUPING SETS, ROLLUP or CUBE is not supported: use it in a plain GROUP BY list; \
             write one SELECT per grouping and combine them with UNION ALL",
        )
        .into());
    }
    let (window, steps) = match calls.as_slice() {
        [call] if call.kind == WindowKind::Hop => hop(call, input)?,
        [a, b] if a.kind == WindowKind::SessionStart && b.kind == WindowKind::SessionEnd => {
            session(a, b, input)?
        }
        [a, b] if a.kind == WindowKind::SessionEnd && b.kind == WindowKind::SessionStart => {
            session(b, a, input)?
        }
        [_] => {
            return Err(Error::unsupported(
                "session_start and session_end must both be in GROUP BY: write session(ts, gap), which \
                 stands for both",
            )
            .into());
        }
        _ => return Err(too_many(&calls)),
    };
    let mut groups = group_by.expr().to_vec();
    for (column, step) in steps {
        groups[column].0 = step;
    }
    Ok(Some((window, PhysicalGroupBy::new_single(groups))))
}

fn calls(group_by: &PhysicalGroupBy) -> Vec<Call<'_>> {
    let groups = group_by.expr().iter().enumerate();
    let calls = groups.filter_map(|(column, (expr, _))| {
        let expr: &ScalarFunctionExpr = expr.downcast_ref()?;
        let function: &WindowFunction = expr.fun().inner().downcast_ref()?;
        Some(Call {
            column,
            kind: function.kind,
            expr,
        })
    });
    calls.collect()
}

fn too_many(calls: &[Call<'_>]) -> DataFusionError {
    let names: Vec<&str> = calls.iter().map(|call| call.kind.name()).collect();
    Error::unsupported(format!(
        "GROUP BY has more than one window ({}): expected one; group by one window in a subquery, and \
         by the other in the outer query",
        names.join(", ")
    ))
    .into()
}

/// Group columns, by index, with the expressions to group by instead.
type Steps = Vec<(usize, Arc<dyn PhysicalExpr>)>;

fn hop(call: &Call<'_>, input: &Schema) -> Result<(GroupWindow, Steps)> {
    let window = HopWindow::try_new(call.column, length(call, 1)?, length(call, 2)?)?;
    let step = Step::Pane {
        width: window.pane(),
        before: window.size(),
    };
    let step = step_of(call.expr, input, step)?;
    Ok((GroupWindow::Hop(window), vec![(call.column, step)]))
}

fn session(start: &Call<'_>, end: &Call<'_>, input: &Schema) -> Result<(GroupWindow, Steps)> {
    if start.expr.args() != end.expr.args() {
        return Err(Error::unsupported(
            "session_start and session_end have different arguments: expected the same timestamp and gap; \
             write session(ts, gap), which stands for both",
        )
        .into());
    }
    let gap = length(start, 1)?;
    let steps = vec![
        (start.column, step_of(start.expr, input, Step::Later(0))?),
        (end.column, step_of(end.expr, input, Step::Later(gap))?),
    ];
    let window = SessionWindow {
        start: start.column,
        end: end.column,
        gap,
    };
    Ok((GroupWindow::Session(window), steps))
}

/// The interval that is argument `index` of a window function, in the unit of its timestamp.
fn length(call: &Call<'_>, index: usize) -> Result<i64> {
    let what = match (call.kind, index) {
        (WindowKind::Hop, 1) => "hop(ts, slide, size): the slide",
        (WindowKind::Hop, _) => "hop(ts, slide, size): the size",
        _ => "session(ts, gap): the gap",
    };
    let wrong = |found: String| {
        Error::invalid_option(format!(
            "{what} is {found}: expected a positive duration, such as INTERVAL '1 minute'"
        ))
    };
    let argument = &call.expr.args()[index];
    let Some(literal) = argument.downcast_ref::<Literal>() else {
        return Err(wrong(format!("not a constant ({argument})")).into());
    };
    let value = literal.value();
    let text = array_value_to_string(&value.to_array()?, 0)?;
    let nanos = match value {
        ScalarValue::IntervalMonthDayNano(Some(value)) => {
            let (months, days, nanos) = IntervalMonthDayNanoType::to_parts(*value);
            (months == 0).then(|| i128::from(days) * NANOS_PER_DAY + i128::from(nanos))
        }
        ScalarValue::IntervalDayTime(Some(value)) => {
            let (days, millis) = IntervalDayTimeType::to_parts(*value);
            Some(i128::from(days) * NANOS_PER_DAY + i128::from(millis) * 1_000_000)
        }
        ScalarValue::IntervalYearMonth(Some(_)) => None,
        ScalarValue::IntervalMonthDayNano(None) => return Err(wrong("NULL".to_owned()).into()),
        _ => return Err(wrong(text).into()),
    };
    let Some(nanos) = nanos else {
        return Err(wrong(format!("{text}, and months vary in length")).into());
    };
    if nanos <= 0 {
        return Err(wrong(text).into());
    }
    let unit = nanos_per_unit(call.expr.return_type());
    match i64::try_from(nanos / unit) {
        Ok(length) if nanos % unit == 0 => Ok(length),
        _ => Err(Error::invalid_option(format!(
            "{what} is {text}, which is not a multiple of the unit of {}: use a longer unit of time, or \
             arrow_cast the timestamp to a finer one",
            call.expr.return_type()
        ))
        .into()),
    }
}

const NANOS_PER_DAY: i128 = 86_400_000_000_000;

fn nanos_per_unit(time: &DataType) -> i128 {
    match time {
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        _ => 1,
    }
}
